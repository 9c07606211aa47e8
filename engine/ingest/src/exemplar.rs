//! The rules for exemplars.

use obsq_model::Labels;

use crate::label_set::LabelScratch;
use crate::limits::IngestLimits;

/// Most characters of all label names and values of an exemplar together, as OpenMetrics says.
pub(crate) const MAX_CHARS: usize = 128;

/// Returns the labels of an exemplar, or why it is refused.
pub(crate) fn admit(
    labels: &mut LabelScratch<'_>,
    limits: &IngestLimits,
) -> Result<Labels, String> {
    let labels = labels.finish_nameless(limits)?;
    let chars: usize = labels
        .iter()
        .map(|label| label.name.chars().count() + label.value.chars().count())
        .sum();
    if chars > MAX_CHARS {
        return Err(format!(
            "labels of the exemplar have {chars} characters: the limit is {MAX_CHARS}"
        ));
    }
    Ok(labels)
}
