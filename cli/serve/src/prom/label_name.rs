//! Label names in URLs.

/// Returns the label name that a path segment stands for: `U__a_2e_b` is `a.b`, anything else is
/// taken as it is. A badly escaped name stands for itself.
pub(crate) fn unescape(segment: &str) -> String {
    let escaped = segment.strip_prefix("U__");
    let unescaped = escaped.and_then(unescape_values);
    unescaped.unwrap_or_else(|| segment.to_owned())
}

/// `_2e_` is the character U+2E, `__` an underscore.
fn unescape_values(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, tail)) = rest.split_once('_') {
        name.push_str(plain);
        if let Some(tail) = tail.strip_prefix('_') {
            name.push('_');
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_once('_')?;
        let lower_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if digits.is_empty() || digits.len() > 6 || !digits.chars().all(lower_hex) {
            return None;
        }
        name.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = tail;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_restored_and_bad_ones_kept() {
        let table = [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___2603_", "\u{2603}"),
            ("U__room_2e_name_3a_", "room.name:"),
            ("U__bad_", "U__bad_"),
            ("U__bad_2E_", "U__bad_2E_"),
            ("U__bad_d800_", "U__bad_d800_"),
            ("U__", ""),
        ];
        for (segment, name) in table {
            assert_eq!(unescape(segment), name);
        }
    }
}
