//! Templates of `label_replace`.

/// Returns `template` with references to groups replaced by what `group` returns for them.
pub(super) fn expand<'v>(
    template: &str,
    names: &[Option<String>],
    group: impl Fn(usize) -> Option<&'v str>,
) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            out.push('$');
            continue;
        };
        rest = after;
        let value = if let Some(index) = number(name) {
            group(index)
        } else {
            let mut indices = (0..names.len()).filter(|i| names[*i].as_deref() == Some(name));
            indices.find_map(&group)
        };
        out.push_str(value.unwrap_or_default());
    }
    out.push_str(rest);
    out
}

/// Splits `name` or `{name}` off what follows a `$`; `None` when there is no name. The name is as
/// long as possible: `$1x` refers to `1x`.
fn reference(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let body = inner.unwrap_or(text);
    let is_name = |c: char| c == '_' || c.is_alphabetic() || is_digit(c);
    let (name, rest) = body.split_at(body.find(|c| !is_name(c)).unwrap_or(body.len()));
    if name.is_empty() {
        return None;
    }
    let rest = match inner {
        Some(_) => rest.strip_prefix('}')?,
        None => rest,
    };
    Some((name, rest))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (c.is_numeric() && c.is_alphanumeric())
}

/// Returns the group's number when the name is one, without leading zeros.
fn number(name: &str) -> Option<usize> {
    if !name.bytes().all(|byte| byte.is_ascii_digit()) || (name.len() > 1 && name.starts_with('0'))
    {
        return None;
    }
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_as_in_go() {
        let names = [None, None, Some("n".to_owned()), Some("n".to_owned())];
        let groups = [Some("whole"), Some("one"), None, Some("named")];
        let group = |index: usize| groups.get(index).copied().flatten();
        let cases = [
            ("$1", "one"),
            ("${1}x", "onex"),
            ("$1x", ""),
            ("$0-$2-$9", "whole--"),
            ("$n|${n}", "named|named"),
            ("$$1", "$1"),
            ("a$", "a$"),
            ("$-${", "$-${"),
            ("${1", "${1"),
            ("${}", "${}"),
            ("$01", ""),
            ("$99999999999999999999", ""),
            // The letter belongs to the name, and there is no such group.
            ("é$1é", "é"),
            ("$1 é", "one é"),
        ];
        for (template, expected) in cases {
            assert_eq!(expand(template, &names, group), expected, "{template}");
        }
    }
}
