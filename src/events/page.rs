//! Raw URLs → pages.

use std::borrow::Cow;

/// What of a URL makes a page. By default its path only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageRule {
    /// `/order/18223` becomes `/order/:id`: numbers, UUIDs and long hex strings that fill a path segment.
    pub fold_ids: bool,
}

impl PageRule {
    /// The page of a raw URL, path, or screen name.
    ///
    /// A URL or path loses scheme, host, query and fragment, a last `index.html` and trailing slashes; percent-encoding is decoded where
    /// that is safe. Any other text is a screen's or content's name and stays as it is, without blanks around it.
    pub fn page<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        let raw = raw.trim();
        let Some(path) = path(raw) else { return Cow::Borrowed(raw) };
        let path = path.strip_suffix("/index.html").map_or(path, |folder| if folder.is_empty() { "/" } else { folder });
        let path = match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        let page = if path.contains('%') { Cow::Owned(decode(path)) } else { Cow::Borrowed(path) };
        if self.fold_ids { fold_ids(page) } else { page }
    }
}

/// The path of a URL or path; `None` if the text is neither.
fn path(raw: &str) -> Option<&str> {
    let from_host = match raw.strip_prefix('/') {
        Some(rest) => rest.strip_prefix('/'),
        None => raw.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).map(|(_, rest)| rest),
    };
    let path = match from_host {
        Some(rest) => {
            rest.find(['/', '?', '#']).map_or("/", |at| if rest.as_bytes()[at] == b'/' { &rest[at..] } else { "/" })
        }
        None if raw.starts_with('/') => raw,
        None => return None,
    };
    Some(memchr::memchr2(b'?', b'#', path.as_bytes()).map_or(path, |end| &path[..end]))
}

/// The first value of a parameter in the query of a raw URL or path, decoded once as forms encode it; `None` if it is not there or empty.
pub fn parameter_of<'a>(raw: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, query) = raw.split('#').next()?.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(key, value)| *key == name && !value.is_empty())?.1;
    if !value.contains(['%', '+']) {
        return Some(Cow::Borrowed(value));
    }
    let (bytes, mut decoded, mut at) = (value.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let run = escaped_run(&bytes[at..]);
        if run.is_empty() {
            decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
        }
        at += (3 * run.len()).max(1);
        decoded.extend(run);
    }
    Some(Cow::Owned(String::from_utf8_lossy(&decoded).into_owned()))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Decodes percent-encoding once where the result cannot change what the path means: unreserved ASCII (RFC 3986, 2.3) and valid UTF-8
/// from U+00A0 on. Everything else stays encoded, its hex digits in upper case.
fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut page, mut at) = (String::with_capacity(path.len()), 0);
    while at < bytes.len() {
        let run = escaped_run(&bytes[at..]);
        if run.is_empty() {
            // Both ends are at a `%` or at an end of the path, and so between characters.
            let next = memchr::memchr(b'%', &bytes[at + 1..]).map_or(bytes.len(), |skip| at + 1 + skip);
            page.push_str(&path[at..next]);
            at = next;
            continue;
        }
        at += 3 * run.len();
        push_decoded(&run, &mut page);
    }
    page
}

/// The bytes that the `%XX` at the beginning of `text` stand for.
fn escaped_run(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let triple = |part: &[u8]| Some(hex(*part.get(1)?)? << 4 | hex(*part.get(2)?)?);
    text.chunks(3).map_while(|part| (part[0] == b'%').then(|| triple(part)).flatten()).collect()
}

fn push_decoded(run: &[u8], page: &mut String) {
    for chunk in run.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') || c >= '\u{a0}' {
                page.push(c);
            } else {
                push_encoded(c.encode_utf8(&mut [0; 4]).as_bytes(), page);
            }
        }
        push_encoded(chunk.invalid(), page);
    }
}

fn push_encoded(bytes: &[u8], page: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        page.push('%');
        page.push(DIGITS[usize::from(byte >> 4)] as char);
        page.push(DIGITS[usize::from(byte & 15)] as char);
    }
}

fn fold_ids(page: Cow<'_, str>) -> Cow<'_, str> {
    let (mut folded, mut kept, mut start) = (String::new(), 0, 0);
    for end in memchr::memchr_iter(b'/', page.as_bytes()).chain([page.len()]) {
        if is_id(&page[start..end]) {
            folded.reserve(page.len() - kept);
            folded.push_str(&page[kept..start]);
            folded.push_str(":id");
            kept = end;
        }
        start = end + 1;
    }
    if kept == 0 {
        return page;
    }
    folded.push_str(&page[kept..]);
    Cow::Owned(folded)
}

/// Numbers, UUIDs and hex strings of at least 16 digits.
fn is_id(part: &str) -> bool {
    let all = |test: fn(&u8) -> bool| part.as_bytes().iter().all(test);
    !part.is_empty()
        && (all(u8::is_ascii_digit)
            || (part.len() >= 16 && all(u8::is_ascii_hexdigit))
            || (part.len() == 36 && all(|b| b.is_ascii_hexdigit() || *b == b'-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(raw: &str) -> String {
        PageRule::default().page(raw).into_owned()
    }

    #[test]
    fn a_page_is_the_path() {
        for raw in [
            "/shop",
            "/shop/",
            "/shop?a=1",
            "/shop#top",
            "https://x.com/shop",
            "https://x.com/shop/?a=/b/",
            "//x.com/shop",
            "/shop/index.html",
            " /shop ",
        ] {
            assert_eq!(page(raw), "/shop", "{raw}");
        }
        for raw in ["/", "https://x.com", "https://x.com/", "https://x.com?q=1", "/index.html", "//x.com", "///"] {
            assert_eq!(page(raw), "/", "{raw}");
        }
    }

    #[test]
    fn other_texts_are_names() {
        assert_eq!(page("Checkout Screen"), "Checkout Screen");
        assert_eq!(page("what? 50% off"), "what? 50% off");
    }

    #[test]
    fn percent_encoding_is_decoded_where_it_is_safe() {
        assert_eq!(page("/caf%C3%A9"), "/café");
        assert_eq!(page("/%D8%B3%D9%84%D8%A7%D9%85"), "/سلام");
        assert_eq!(page("/%7euser/%61"), "/~user/a");
        assert_eq!(page("/a%2fb%25%3f%23"), "/a%2Fb%25%3F%23");
        assert_eq!(page("/%e4%00%1b[%c2%85"), "/%E4%00%1B[%C2%85", "invalid bytes and controls stay encoded");
        assert_eq!(page("/100%/x%4"), "/100%/x%4");
        assert_eq!(page("/%2541"), "/%2541", "decoded once only");
        assert_eq!(page("/%41é%20日/%C3%A9%2Dö"), "/Aé%20日/é-ö");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(raw in "/(%[0-9a-fA-F]{0,2}|\\PC|/){0,20}", any in "\\PC*") {
            page(&raw);
            page(&any);
        }
    }

    #[test]
    fn a_parameter_is_the_first_value_of_its_name() {
        let source = |raw| parameter_of(raw, "utm_source").map(Cow::into_owned);
        let is = |raw, value: &str| assert_eq!(source(raw).as_deref(), Some(value), "{raw}");
        is("https://x.com/a?utm_source=mail&utm_medium=x#utm_source=y", "mail");
        is("/a?q=1&utm_source=&utm_source=a%20b+c", "a b c");
        is("/a?utm_source=caf%C3%A9%2", "café%2");
        is("/a?utm_source=%ff", "\u{fffd}");
        is("/a?utm_source=a=b?c", "a=b?c");
        for raw in ["/a", "/a?utm_source", "/a?xutm_source=1", "/a#?utm_source=1", "utm_source=1", ""] {
            assert_eq!(source(raw), None, "{raw}");
        }
    }

    #[test]
    fn ids_fold_on_request() {
        let folded = |raw| PageRule { fold_ids: true }.page(raw).into_owned();
        assert_eq!(folded("/order/18223/items"), "/order/:id/items");
        assert_eq!(folded("/u/550e8400-e29b-41d4-a716-446655440000"), "/u/:id");
        assert_eq!(folded("/face/deadbeefdeadbeef"), "/face/:id");
        assert_eq!(folded("/face/2nd"), "/face/2nd");
        assert_eq!(folded("/12/345/x/6"), "/:id/:id/x/:id");
        assert_eq!(folded("77"), "77", "a name is no path");
    }
}
