//! Label sets out of pairs as they are read.

use obsq_model::Labels;

/// Returns the label set of pairs in any order, or that a name is empty or occurs twice.
pub(super) fn label_set(mut pairs: Vec<(&str, &str)>) -> Result<Labels, String> {
    pairs.sort_unstable_by_key(|pair| pair.0);
    if let Some(twice) = pairs.windows(2).find(|window| window[0].0 == window[1].0) {
        return Err(format!("label name {:?} is not unique", twice[0].0));
    }
    if pairs.first().is_some_and(|(name, _)| name.is_empty()) {
        return Err("label name is empty".to_owned());
    }
    let present = pairs.iter().filter(|(_, value)| !value.is_empty());
    Ok(Labels::from_sorted(present.copied()))
}
