//! Sizes in bytes: `512MB`, `1GiB`.

const UNITS: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];

/// Returns the bytes of a size, units being powers of 1,024 with or without `i`; `0` needs no unit.
///
/// # Errors
/// Says what a size looks like.
pub fn parse_size(text: &str) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    let invalid = || format!("{text:?} is not a size such as `512MB`");
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.parse().map_err(|_bad| invalid())?;
    let power = UNITS
        .iter()
        .position(|known| *known == unit.replace('i', ""))
        .ok_or_else(invalid)?;
    let bytes = number * 1024_f64.powi(power as i32);
    if bytes < 9.0e18 {
        Ok(bytes as u64)
    } else {
        Err(format!("{text:?} is too large"))
    }
}

/// Returns a size in the largest unit of which it is a multiple.
pub(super) fn format_size(bytes: u64) -> String {
    let mut power = 0;
    let mut number = bytes;
    while number > 0 && number.is_multiple_of(1024) && power + 1 < UNITS.len() {
        number /= 1024;
        power += 1;
    }
    match power {
        0 => format!("{number}B"),
        _ => format!("{number}{}", UNITS[power].replace('B', "iB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let cases = [("0", 0), ("10B", 10), ("1KB", 1024), ("1.5MiB", 1_572_864)];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes));
        }
        assert_eq!(format_size(100 << 20), "100MiB");
        for text in ["", "10", "MB", "1XB", "-1MB", "99999999999EB"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }
}
