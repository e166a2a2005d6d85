use super::*;

fn columns(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

fn places(mapping: &Mapping) -> Vec<usize> {
    mapping.dimensions.iter().flatten().map(|dimension| dimension.place).collect()
}

fn map(names: &str, roles: &Roles, scan: &Scan) -> Result<Mapping> {
    Mapping::new(&columns(names), roles, scan)
}

#[test]
fn roles_are_guessed_and_only_needed_columns_are_read() {
    let scan = Scan { event: true, dimensions: vec!["device".into()], ..Scan::default() };
    let mapping = map("page Time User-ID event device", &Roles::default(), &scan).unwrap();
    let read: Vec<usize> = mapping.wanted.iter().map(|w| w.column).collect();
    assert_eq!(read, [2, 1, 3, 4]);
    assert_eq!((mapping.event, mapping.page, places(&mapping)), (Some(2), None, vec![3]));
}

#[test]
fn one_column_may_serve_twice() {
    let scan = Scan { event: true, dimensions: vec!["event".into()], ..Scan::default() };
    let mapping = map("visitor_id ts event", &Roles::default(), &scan).unwrap();
    assert_eq!((mapping.wanted.len(), mapping.event, places(&mapping)), (3, Some(2), vec![2]));
}

#[test]
fn errors_name_the_columns_and_the_flag() {
    let none = map("a b", &Roles::default(), &Scan::default()).unwrap_err();
    assert!(none.to_string().contains("\"a\", \"b\"") && none.advice().unwrap().contains("--visitor"), "{none}");
    let two = map("client_id cookie_id ts", &Roles::default(), &Scan::default()).unwrap_err();
    assert!(two.to_string().contains("ambiguous") && two.advice().unwrap().contains("--visitor client_id"), "{two}");
    let typo = Roles { visitor: vec!["vistor".into()], ..Roles::default() };
    let near = map("visitor ts", &typo, &Scan::default()).unwrap_err();
    assert_eq!(near.advice(), Some("did you mean \"visitor\"?"));
    let glued = map("visitor;ts;event", &Roles::default(), &Scan::default()).unwrap_err();
    assert!(glued.advice().unwrap().contains("--delimiter"));
}

#[test]
fn a_role_that_a_question_names_must_be_there() {
    let scan = Scan { event: true, event_required: true, ..Scan::default() };
    let error = map("visitor ts what", &Roles::default(), &scan).unwrap_err();
    assert!(error.advice().unwrap().contains("--event"), "{error}");
    let none = Roles { event: vec!["none".into()], ..Roles::default() };
    assert_eq!(map("visitor ts what", &none, &scan).unwrap().event, None);
}

#[test]
fn of_several_names_the_first_that_is_there_is_taken() {
    let names = |names: &str| names.split(' ').map(str::to_owned).collect();
    let roles = Roles { visitor: names("client_id clientId"), page: names("url none"), ..Roles::default() };
    let found = |columns_of_file: &str, role| find(&columns(columns_of_file), &roles, role);
    assert_eq!(found("ts clientId client_id", Role::Visitor).unwrap(), Some(2));
    assert_eq!(found("ts CLIENTID", Role::Visitor).unwrap(), Some(1));
    let none = found("ts cookie", Role::Visitor).unwrap_err();
    assert!(none.to_string().contains("\"client_id\", \"clientId\"") && none.advice().unwrap().contains("--visitor"));
    assert_eq!(found("ts page", Role::Page).unwrap(), None);
    assert_eq!(found("ts page url", Role::Page).unwrap(), Some(2));
}

#[test]
fn the_first_channel_is_the_column_of_the_source() {
    let channel = || vec!["first_channel".into()];
    let scan = Scan { dimensions: channel(), dimensions_required: channel(), ..Scan::default() };
    let read = |names: &str, roles: &Roles| {
        let mapping = map(names, roles, &scan)?;
        let Dimension { place, parameter } = mapping.dimensions[0].unwrap();
        Ok::<_, Error>((mapping.wanted[place].column, parameter))
    };
    assert_eq!(read("visitor ts source acquisition_channel", &Roles::default()).unwrap(), (3, None));
    let named = Roles { source: vec!["how".into()], ..Roles::default() };
    assert_eq!(read("visitor ts source how", &named).unwrap(), (3, None));
    assert_eq!(read("visitor ts source url", &Roles::default()).unwrap(), (2, None), "a column goes before pages");
    assert_eq!(read("visitor ts url", &Roles::default()).unwrap(), (2, Some("utm_source")));
    let off = Roles { source: vec!["none".into()], ..Roles::default() };
    assert!(read("visitor ts url", &off).is_err());
    let error = read("visitor ts", &Roles::default()).unwrap_err();
    assert!(error.advice().unwrap().contains("--source COLUMN"), "{error}");
}

/// The places of `wanted` are those in the file's batches only as long as nothing is derived.
#[test]
#[cfg(feature = "polars")]
fn where_a_column_is_derived_those_that_are_read_have_other_places() {
    let person = Derived { name: "person".into(), expression: Expression::parse("'p' || id").unwrap() };
    let scan = Scan { page: true, derived: vec![person], ..Scan::default() };
    let named = |visitor: &str| Roles { visitor: vec![visitor.into()], ..Roles::default() };
    let plain = map("id ts page", &named("id"), &scan).unwrap();
    assert_eq!((plain.time_as_read(), plain.page_alone()), (Some(1), Some(2)));
    let derived = map("id ts page", &named("person"), &scan).unwrap();
    assert_eq!(derived.wanted.iter().map(|wanted| wanted.column).collect::<Vec<_>>(), [1, 2, 0], "time comes first");
    assert_eq!((derived.time, derived.time_as_read(), derived.page_alone()), (1, None, None));
}

#[test]
fn none_switches_a_guess_off() {
    let roles = Roles { page: vec!["none".into()], ..Roles::default() };
    let scan = Scan { page: true, ..Scan::default() };
    assert_eq!(map("visitor ts page", &roles, &scan).unwrap().page, None);
}
