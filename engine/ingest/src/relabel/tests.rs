use super::*;

fn rule(action: Action) -> RelabelConfig {
    RelabelConfig {
        action,
        ..RelabelConfig::default()
    }
}

fn sourced(action: Action, sources: &[&str], regex: &str) -> RelabelConfig {
    let source_labels = sources.iter().map(|name| (*name).to_owned()).collect();
    RelabelConfig {
        source_labels,
        regex: Pattern::new(regex).unwrap(),
        ..rule(action)
    }
}

fn targeted(rule: RelabelConfig, target: &str, replacement: &str) -> RelabelConfig {
    RelabelConfig {
        target_label: target.into(),
        replacement: replacement.into(),
        ..rule
    }
}

fn applied(rules: &[RelabelConfig]) -> Option<String> {
    let labels = Labels::from_pairs(&[("a", "foo"), ("b", "bar"), ("c", "Baz"), ("same", "foo")]);
    apply(&labels, rules).map(|labels| labels.to_string())
}

#[test]
fn keep_and_drop_decide_by_the_joined_sources() {
    let all = Some(r#"{a="foo", b="bar", c="Baz", same="foo"}"#.to_owned());
    assert_eq!(
        applied(&[sourced(Action::Keep, &["a", "b"], "foo;ba.")]),
        all
    );
    assert_eq!(applied(&[sourced(Action::Keep, &["a"], "fo")]), None);
    assert_eq!(applied(&[sourced(Action::Drop, &["a"], "f.*")]), None);
    assert_eq!(applied(&[sourced(Action::Drop, &["missing"], ".+")]), all);
    let equal = |action, target| targeted(sourced(action, &["a"], "(.*)"), target, "$1");
    assert_eq!(applied(&[equal(Action::KeepEqual, "same")]), all);
    assert_eq!(applied(&[equal(Action::KeepEqual, "b")]), None);
    assert_eq!(applied(&[equal(Action::DropEqual, "same")]), None);
}

#[test]
fn replace_expands_target_and_replacement_and_removes_with_the_empty_one() {
    let replace = |regex, target, replacement| {
        applied(&[targeted(
            sourced(Action::Replace, &["a", "b"], regex),
            target,
            replacement,
        )])
    };
    let with = |more: &str| {
        Some(format!(
            r#"{{a="foo", b="bar", c="Baz"{more}, same="foo"}}"#
        ))
    };
    assert_eq!(
        replace("(f)oo;(.*)", "d", "${2}-$1"),
        with(r#", d="bar-f""#)
    );
    assert_eq!(
        replace("(f)oo;(.*)", "l_${1}", "$2"),
        with(r#", l_f="bar""#)
    );
    assert_eq!(replace("nothing", "d", "x"), with(""));
    assert_eq!(
        replace("(.*)", "c", ""),
        Some(r#"{a="foo", b="bar", same="foo"}"#.into())
    );
    assert_eq!(
        applied(&[targeted(rule(Action::Replace), "d", "fixed")]),
        with(r#", d="fixed""#)
    );
}

#[test]
fn names_are_mapped_dropped_and_kept() {
    let map = RelabelConfig {
        replacement: "x_$1".into(),
        ..sourced(Action::LabelMap, &[], "([ab])")
    };
    let mapped = r#"{a="foo", b="bar", c="Baz", same="foo", x_a="foo", x_b="bar"}"#;
    assert_eq!(applied(&[map]).as_deref(), Some(mapped));
    let kept = applied(&[sourced(Action::LabelKeep, &[], "[ab]")]);
    assert_eq!(kept.as_deref(), Some(r#"{a="foo", b="bar"}"#));
    let dropped = applied(&[sourced(Action::LabelDrop, &[], "[ab]|same")]);
    assert_eq!(dropped.as_deref(), Some(r#"{c="Baz"}"#));
}

#[test]
fn case_and_hash_write_the_target() {
    let only = |name| sourced(Action::LabelKeep, &[], name);
    let lower = targeted(sourced(Action::Lowercase, &["c"], "(.*)"), "d", "$1");
    let upper = targeted(sourced(Action::Uppercase, &["c"], "(.*)"), "d", "$1");
    assert_eq!(
        applied(&[lower, only("d")]).as_deref(),
        Some(r#"{d="baz"}"#)
    );
    assert_eq!(
        applied(&[upper, only("d")]).as_deref(),
        Some(r#"{d="BAZ"}"#)
    );
    let hash = targeted(sourced(Action::HashMod, &["c"], "(.*)"), "d", "$1");
    let hash = RelabelConfig {
        modulus: 1000,
        ..hash
    };
    let expected = super::hash("Baz") % 1000;
    assert_eq!(
        applied(&[hash, only("d")]),
        Some(format!(r#"{{d="{expected}"}}"#))
    );
    assert_eq!(super::hash(""), 0xe980_0998_ecf8_427e);
}

#[test]
fn a_rule_without_what_its_action_needs_is_refused() {
    let cases = [
        (
            rule(Action::Replace),
            "relabel configuration for replace action requires 'target_label' value",
        ),
        (
            targeted(rule(Action::HashMod), "a", "$1"),
            "relabel configuration for hashmod requires non-zero modulus",
        ),
        (
            targeted(rule(Action::Lowercase), "a", "x"),
            "'replacement' can not be set for lowercase action",
        ),
        (
            sourced(Action::LabelDrop, &["a"], "x"),
            "labeldrop action requires only 'regex', and no other fields",
        ),
        (
            targeted(sourced(Action::KeepEqual, &["a"], "x"), "b", "$1"),
            "keepequal action requires only 'source_labels' and `target_label`, and no other fields",
        ),
    ];
    for (rule, expected) in cases {
        assert_eq!(rule.validate(), Err(expected.to_owned()));
    }
    assert_eq!(sourced(Action::Keep, &["a"], "x").validate(), Ok(()));
}

#[test]
fn actions_are_named_in_any_case() {
    for (action, name) in Action::ALL {
        assert_eq!(Action::from_name(&name.to_uppercase()), Some(action));
        assert_eq!(action.to_string(), name);
    }
    assert_eq!(Action::from_name("other"), None);
}

#[test]
fn steps_show_what_each_rule_leaves() {
    let rules = [
        targeted(rule(Action::Replace), "b", "new"),
        sourced(Action::Drop, &["b"], "new"),
        targeted(rule(Action::Replace), "b", "late"),
    ];
    let left = steps(&Labels::from_pairs(&[("a", "x")]), &rules);
    let expected = Labels::from_pairs(&[("a", "x"), ("b", "new")]);
    assert_eq!(left, [Some(expected), None, None]);
}
