use super::*;

fn names(text: &str) -> (Vec<String>, Vec<Hop>) {
    let (steps, hops) = parse(text, &NamedSteps::default()).unwrap();
    (steps.iter().map(ToString::to_string).collect(), hops)
}

#[test]
fn steps_and_hops_are_read() {
    use HopKind::*;
    let names = |text| {
        let (steps, hops) = names(text);
        (steps, hops.iter().map(|hop| hop.kind).collect::<Vec<_>>())
    };
    assert_eq!(names("a"), (vec!["a".into()], vec![]));
    assert_eq!(
        names("a>b >> /c/*  > node( 'd e' )"),
        (vec!["a".into(), "b".into(), "/c/*".into(), "node( 'd e' )".into()], vec![Eventually, Directly, Eventually])
    );
    assert_eq!(names("(a | /b) > \"x > y\"").0, ["(a | /b)", "\"x > y\""]);
}

#[test]
fn limits_of_hops_are_read() {
    let hops = names("a >[10m] b >> [ 1h30m ] c > d").1;
    assert_eq!(hops.iter().map(ToString::to_string).collect::<Vec<_>>(), [">[10m]", ">>[1h30m]", ">"]);
    assert_eq!(
        hops.iter().map(|hop| hop.limit.map(|limit| limit.0)).collect::<Vec<_>>(),
        [Some(600_000_000), Some(5_400_000_000), None]
    );
}

#[test]
fn conditions_are_read() {
    let (steps, _) = parse("buy{price >= 10, plan != 'free trial'}", &NamedSteps::default()).unwrap();
    let conditions: Vec<String> = steps[0].alternatives[0].conditions.iter().map(ToString::to_string).collect();
    assert_eq!(conditions, ["price >= '10'", "plan != 'free trial'"]);
}

#[test]
fn what_is_wrong_is_said_with_an_example() {
    for text in [
        "",
        "a >",
        "> a",
        "a b",
        "(a | b",
        "a{price}",
        "a{price > }",
        "'a",
        "node(a",
        "a > > b",
        "a >[10m b",
        "a >[10] b",
        "a >[] b",
    ] {
        let error = parse(text, &NamedSteps::default()).unwrap_err();
        assert!(error.advice().is_some(), "{text}: {error}");
    }
}

#[test]
fn optional_steps_and_blocks_are_read() {
    let (steps, hops) = parse("a > b? >> ( c&(d | e) & first(f)) >[1h] 'g'{n > 1} ?", &NamedSteps::default()).unwrap();
    let kinds: Vec<Kind> = steps.iter().map(Step::kind).collect();
    assert_eq!(kinds, [Kind::Required, Kind::Optional, Kind::Block(3), Kind::Optional]);
    assert_eq!(hops.iter().map(ToString::to_string).collect::<Vec<_>>(), [">", ">>", ">[1h]"]);
    let slots: Vec<String> = steps[2].slots().iter().map(ToString::to_string).collect();
    assert_eq!(slots, ["c", "(d | e)", "first(f)"]);
    assert_eq!(steps[3].to_string(), "'g'{n > 1} ?");
    for (text, reason) in [
        ("(a & b", "'&' or ')'"),
        ("(a & b | c)", "'&' or ')'"),
        ("(a | b & c)", "'|' or ')'"),
        ("(a & (b & c))", "cannot be part of a block"),
        ("((a | b))", "2 to 8 members"),
        ("(a & b & c & d & e & f & g & h & i)", "2 to 8 members, not 9"),
        ("(a & b?)", "'&' or ')'"),
    ] {
        let error = parse(text, &NamedSteps::default()).unwrap_err();
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
    for goal in ["a?", "(a & b)"] {
        let error = parse_part("goal", goal, &NamedSteps::default()).unwrap_err();
        assert!(error.to_string().contains("cannot be") && error.advice().is_some(), "{goal}: {error}");
    }
}

#[test]
fn only_the_first_of_a_visitor_is_read() {
    let (steps, _) = parse("first(a | /b{n > 3}) > first ( c ) > first", &NamedSteps::default()).unwrap();
    let read: Vec<(String, bool, usize)> =
        steps.iter().map(|step| (step.to_string(), step.first, step.alternatives.len())).collect();
    let expected = [("first(a | /b{n > 3})", true, 2), ("first ( c )", true, 1), ("first", false, 1)];
    assert_eq!(read, expected.map(|(text, first, count)| (text.to_owned(), first, count)));
    for (text, reason) in [("(a | first(b))", "is a whole step"), ("first(a", "'|' or ')'"), ("first()", "a step")] {
        let error = parse(text, &NamedSteps::default()).unwrap_err();
        assert!(error.to_string().contains(reason) && error.advice().is_some(), "{text}: {error}");
    }
    let error = parse_part("goal", "first(a)", &NamedSteps::default()).unwrap_err();
    assert!(error.to_string().contains("cannot be the visitor's first"), "{error}");
}
