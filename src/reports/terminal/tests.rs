use super::super::fixtures::{answer, table, text};
use super::*;

fn steps() -> Table {
    let rows = vec![
        vec![text("view_item"), Cell::Count(1_038), Cell::Rate(1.0), Cell::Null, Cell::Money(0)],
        vec![text("purchase"), Cell::Count(38), Cell::Rate(0.0366), Cell::Seconds(161.0), Cell::Money(1_234_500_000)],
    ];
    table("steps", &["step", "entered", "of_first", "time", "value"], rows)
}

fn numbered(name: &'static str, rows: u64) -> Table {
    table(name, &["n"], (1..=rows).map(|n| vec![Cell::Count(n)]).collect())
}

fn rendered(tables: Vec<Table>, options: &Options) -> String {
    String::from_utf8(Terminal.render(&[answer(tables)], options).unwrap()).unwrap()
}

/// The lines of a single table: those between title and footer.
fn body(table: Table, options: &Options) -> Vec<String> {
    let text = rendered(vec![table], options);
    text.split("\n\n").nth(1).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn an_answer_has_title_table_and_footer() {
    let expected = "\
Funnel: view_item > purchase

step       entered  of_first    time     value
──────────────────────────────────────────────
view_item    1,038    100.0%       –      0.00
purchase        38      3.7%  2m 41s  1,234.50

rules: window 7d · sessions.timeout 30m
31,106 records: 31,105 used, 0 filtered, 1 duplicate, 0 rejected · 600 visitors · 3,605 sessions
note: the step purchase occurs nowhere
";
    assert_eq!(rendered(vec![steps()], &Options::default()), expected);
}

#[test]
fn several_tables_are_named_and_several_answers_are_a_blank_line_apart() {
    let tables = || vec![numbered("steps", 1), numbered("links", 2)];
    let text = rendered(tables(), &Options::default());
    assert!(text.contains("\n\nsteps\nn\n─\n1\n\nlinks\nn\n─\n1\n2\n\nrules:"), "{text}");

    let answers = [answer(tables()), answer(tables())];
    let both = Terminal.render(&answers, &Options::default()).unwrap();
    assert_eq!(String::from_utf8(both).unwrap(), format!("{text}\n{text}"));
}

#[test]
fn twenty_rows_are_shown_and_the_rest_counted() {
    let options = Options::default();
    assert_eq!(body(numbered("n", 20), &options).len(), 22);
    let lines = body(numbered("n", 21), &options);
    assert_eq!(&lines[21..], ["20", "… and 1 more row; --format csv has them all"]);
    let lines = body(numbered("n", 1_254), &options);
    assert_eq!(lines.last().unwrap(), "… and 1,234 more rows; --format csv has them all");

    let text = rendered(vec![numbered("steps", 1), numbered("links", 21)], &options);
    assert!(text.contains("… and 1 more row; --format csv --table links has them all"), "{text}");
    let both = Terminal.render(&[answer(vec![numbered("n", 21)]), answer(vec![])], &options).unwrap();
    assert!(String::from_utf8(both).unwrap().contains("… and 1 more row; --format json has them all"));

    let options = Options { table: Some("links".into()), rows: 3, ..options };
    let lines = body(numbered("links", 5), &options);
    assert_eq!(lines, ["n", "─", "1", "2", "3", "… and 2 more rows; --format csv --table links has them all"]);
}

#[test]
fn an_empty_table_says_so() {
    let lines = body(table("steps", &["step", "entered"], vec![]), &Options::default());
    assert_eq!(lines, ["step  entered", "─────────────", "(no rows)"]);
}

#[test]
fn hostile_text_cannot_reach_the_terminal() {
    let rows = vec![vec![text("\u{1b}[2J\u{202e}a\nb")]];
    let lines = body(table("steps", &["by\u{7}"], rows), &Options::default());
    assert_eq!(lines, [r"by\u{7}", "─────────────────────", r"\u{1b}[2J\u{202e}a\nb"]);
}

#[test]
fn long_text_is_cut_and_numbers_are_not() {
    let row = |name: &str| vec![text(name), Cell::Count(1_234_567)];
    let rows = vec![row("/a very long page name that goes on"), row("/日本語日本語日本語"), row("/short")];
    let pages = table("pages", &["page", "count"], rows);
    let narrow = Options { width: Some(26), ..Options::default() };
    let expected = [
        "page                 count",
        "──────────────────────────",
        "/a very long p…  1,234,567",
        "/日本語日本語…   1,234,567",
        "/short           1,234,567",
    ];
    assert_eq!(body(pages.clone(), &narrow), expected);
    let hopeless = Options { width: Some(1), ..Options::default() };
    assert_eq!(body(pages, &hopeless)[2], "/a very lon…  1,234,567");
}

#[test]
fn a_text_of_a_megabyte_is_cut_at_once() {
    let lines = body(table("pages", &["page"], vec![vec![text(&"x".repeat(1 << 20))]]), &Options::default());
    assert_eq!(lines[2], format!("{}…", "x".repeat(59)));
    let marks = format!("a{}", "\u{301}".repeat(1 << 20));
    let lines = body(table("pages", &["page"], vec![vec![text(&marks)]]), &Options::default());
    assert!(lines[2].ends_with('…') && lines[2].chars().count() <= LONGEST + 1);
}

#[test]
fn colour_is_for_title_and_header_only() {
    let plain = rendered(vec![steps()], &Options::default());
    let coloured = rendered(vec![steps()], &Options { color: true, ..Options::default() });
    assert!(coloured.starts_with("\u{1b}[1mFunnel: view_item > purchase\u{1b}[0m\n\n\u{1b}[2mstep "));
    assert_eq!(coloured.matches('\u{1b}').count(), 6);
    let stripped = ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(stripped, plain);
}

#[test]
fn of_rows_the_first_are_shown_and_the_rest_counted() {
    let two = Options { rows: 2, ..Options::default() };
    let expected = "\
visitor  number  events  duration_s  bounce  path
───────────────────────────────────────────────────────────────
a             1       7      2m 42s  yes     home > x\\n\\u{202e}
=b            2       –          0s  no
… and 1 more row; -o FILE.csv has them all
";
    assert_eq!(super::super::fixtures::written_rows(&Terminal, &two), expected);
    assert!(!Terminal.holds_rows());
}
