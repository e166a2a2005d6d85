//! Text out of a log, made safe to look at.
//!
//! A log holds what strangers typed. Shown as it is, it can move the cursor, recolour the screen or make one name look
//! like another. So what cannot be seen is written out.

use std::borrow::Cow;

/// `text` with every character that hides or rearranges others shown escaped: `\u{1b}`, `\n`.
///
/// All that the program prints and did not write itself goes through here. The result is always one line.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether `character` is a control, line break, bidirectional or invisible character.
///
/// Combining marks and variation selectors stay: names in many scripts are written with them.
pub(super) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}'                        // soft hyphen
            | '\u{61c}'                     // Arabic letter mark
            | '\u{115f}'..='\u{1160}'       // Hangul fillers
            | '\u{17b4}'..='\u{17b5}'       // Khmer inherent vowels
            | '\u{180e}'                    // Mongolian vowel separator
            | '\u{200b}'..='\u{200f}'       // zero width space and joiners, direction marks
            | '\u{2028}'..='\u{202e}'       // line and paragraph separators, direction embeddings and overrides
            | '\u{2060}'..='\u{206f}'       // word joiner, invisible operators, direction isolates
            | '\u{3164}' | '\u{ffa0}'       // Hangul fillers
            | '\u{feff}'                    // byte order mark
            | '\u{fff9}'..='\u{fffb}'       // interlinear annotations
            | '\u{e0000}'..='\u{e0fff}'     // tags and supplementary variation selectors
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_in_any_script_is_not_copied() {
        for text in ["", "/product/42?a=b", "Größe", "日本語", "नमस्ते", "עברית", "❤️", r"C:\temp", "'\""]
        {
            assert!(matches!(visible(text), Cow::Borrowed(shown) if shown == text), "{text}");
        }
    }

    #[test]
    fn what_hides_is_shown() {
        let cases = [
            ("\u{1b}[31mred\u{1b}[0m", r"\u{1b}[31mred\u{1b}[0m"),
            ("two\nlines\r\tand\0", r"two\nlines\r\tand\u{0}"),
            ("\u{7f}\u{9b}2J", r"\u{7f}\u{9b}2J"),
            ("pay\u{200b}pal", r"pay\u{200b}pal"),
            ("gpj.\u{202e}exe\u{2066}", r"gpj.\u{202e}exe\u{2066}"),
            ("\u{feff}a\u{2028}b", r"\u{feff}a\u{2028}b"),
            ("x\u{e0041}", r"x\u{e0041}"),
            ("é\u{200d}\"", r#"é\u{200d}""#),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
        }
    }
}
