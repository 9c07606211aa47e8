//! Relabelling: rules that rewrite, keep or drop label sets.
//!
//! Source of the meaning: Prometheus 3 `configuration.md#relabel_config`.

use std::fmt;

use md5::{Digest as _, Md5};
use obsq_model::{Labels, LabelsBuilder};
use obsq_query_lang::{Regex, RegexError};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Action {
    /// Sets the target label to the expanded replacement when the expression matches.
    #[default]
    Replace,
    /// Drops what the expression does not match.
    Keep,
    /// Drops what the expression matches.
    Drop,
    /// Drops what differs from the target label.
    KeepEqual,
    /// Drops what equals the target label.
    DropEqual,
    /// Sets the target label to a hash of the source modulo `modulus`.
    HashMod,
    /// Copies labels whose name matches to the expanded replacement.
    LabelMap,
    /// Removes labels whose name matches.
    LabelDrop,
    /// Removes labels whose name does not match.
    LabelKeep,
    /// Sets the target label to the source in lower case.
    Lowercase,
    /// Sets the target label to the source in upper case.
    Uppercase,
}

impl Action {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Replace, "replace"),
        (Self::Keep, "keep"),
        (Self::Drop, "drop"),
        (Self::KeepEqual, "keepequal"),
        (Self::DropEqual, "dropequal"),
        (Self::HashMod, "hashmod"),
        (Self::LabelMap, "labelmap"),
        (Self::LabelDrop, "labeldrop"),
        (Self::LabelKeep, "labelkeep"),
        (Self::Lowercase, "lowercase"),
        (Self::Uppercase, "uppercase"),
    ];

    /// Returns the action of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let named = |(_, known): &&(Self, &str)| known.eq_ignore_ascii_case(name);
        Self::ALL.iter().find(named).map(|(action, _)| *action)
    }

    /// Returns the name in a configuration file.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(action, _)| *action == self)
            .map_or("", |(_, name)| name)
    }

    fn needs_target(self) -> bool {
        matches!(
            self,
            Self::Replace
                | Self::HashMod
                | Self::Lowercase
                | Self::Uppercase
                | Self::KeepEqual
                | Self::DropEqual
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The regular expression of a rule, with its text.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles `text`, anchored at both ends.
    pub fn new(text: &str) -> Result<Self, RegexError> {
        Ok(Self {
            text: text.to_owned(),
            regex: Regex::anchored(text)?,
        })
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One rule, with the defaults that a configuration file may leave out.
#[derive(Debug, Clone, PartialEq)]
pub struct RelabelConfig {
    /// Labels whose values are joined.
    pub source_labels: Vec<String>,
    /// What they are joined with; `;` unless given.
    pub separator: String,
    /// What the joined value, or a label's name, is compared with; `(.*)` unless given.
    pub regex: Pattern,
    /// Modulus of `hashmod`.
    pub modulus: u64,
    /// The label that is set or compared with; may refer to groups for `replace`.
    pub target_label: String,
    /// What it is set to; may refer to groups; `$1` unless given.
    pub replacement: String,
    /// What is done.
    pub action: Action,
}

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.to_owned(),
            regex: Pattern::new(DEFAULT_REGEX).expect("invariant: the default pattern compiles"),
            modulus: 0,
            target_label: String::new(),
            replacement: DEFAULT_REPLACEMENT.to_owned(),
            action: Action::default(),
        }
    }
}

impl RelabelConfig {
    /// Checks that the rule has what its action needs and nothing that it cannot use.
    ///
    /// # Errors
    /// A text in Prometheus' wording.
    pub fn validate(&self) -> Result<(), String> {
        let action = self.action;
        if action == Action::HashMod && self.modulus == 0 {
            return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
        }
        if action.needs_target() && self.target_label.is_empty() {
            return Err(format!(
                "relabel configuration for {action} action requires 'target_label' value"
            ));
        }
        if action == Action::LabelMap && self.replacement.is_empty() {
            let replacement = &self.replacement;
            return Err(format!(
                "{replacement:?} is invalid 'replacement' for {action} action"
            ));
        }
        self.validate_unused()
    }

    fn validate_unused(&self) -> Result<(), String> {
        let action = self.action;
        let plain_replacement = self.replacement == DEFAULT_REPLACEMENT;
        let plain = self.separator == DEFAULT_SEPARATOR && self.modulus == 0 && plain_replacement;
        match action {
            Action::Lowercase | Action::Uppercase if !plain_replacement => {
                Err(format!("'replacement' can not be set for {action} action"))
            }
            Action::KeepEqual | Action::DropEqual
                if !(plain && self.regex.text == DEFAULT_REGEX) =>
            {
                Err(format!(
                    "{action} action requires only 'source_labels' and `target_label`, and no other fields"
                ))
            }
            Action::LabelDrop | Action::LabelKeep
                if !(plain && self.source_labels.is_empty() && self.target_label.is_empty()) =>
            {
                Err(format!(
                    "{action} action requires only 'regex', and no other fields"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Applies `rules` in order; `None` when one of them drops the set.
pub fn apply(labels: &Labels, rules: &[RelabelConfig]) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels.clone());
    }
    let mut builder = labels.to_builder();
    rules
        .iter()
        .all(|rule| keeps(&mut builder, rule))
        .then(|| builder.build())
}

/// Applies `rules` in order and returns what each leaves; `None` from the one on that drops the set.
pub fn steps(labels: &Labels, rules: &[RelabelConfig]) -> Vec<Option<Labels>> {
    let mut builder = labels.to_builder();
    let mut kept = true;
    let left = rules.iter().map(|rule| {
        kept = kept && keeps(&mut builder, rule);
        kept.then(|| builder.clone().build())
    });
    left.collect()
}

/// Applies one rule; says whether the set is kept.
fn keeps(labels: &mut LabelsBuilder, rule: &RelabelConfig) -> bool {
    let sources: Vec<_> = rule
        .source_labels
        .iter()
        .map(|name| labels.get(name))
        .collect();
    let value = sources.join(&rule.separator);
    let regex = &rule.regex.regex;
    match rule.action {
        Action::Keep => return regex.is_match(&value),
        Action::Drop => return !regex.is_match(&value),
        Action::KeepEqual => return labels.get(&rule.target_label) == value,
        Action::DropEqual => return labels.get(&rule.target_label) != value,
        Action::Replace => replace(labels, rule, &value),
        Action::Lowercase => set(labels, rule, &value.to_lowercase()),
        Action::Uppercase => set(labels, rule, &value.to_uppercase()),
        Action::HashMod => set(
            labels,
            rule,
            &(hash(&value) % rule.modulus.max(1)).to_string(),
        ),
        Action::LabelMap => {
            for (name, value) in owned_pairs(labels) {
                if let Some(target) = regex.expand(&name, &rule.replacement)
                    && !target.is_empty()
                {
                    labels.set(&target, &value);
                }
            }
        }
        Action::LabelDrop | Action::LabelKeep => {
            for (name, _) in owned_pairs(labels) {
                if regex.is_match(&name) == (rule.action == Action::LabelDrop) {
                    labels.remove(&name);
                }
            }
        }
    }
    true
}

fn replace(labels: &mut LabelsBuilder, rule: &RelabelConfig, value: &str) {
    let regex = &rule.regex.regex;
    let Some(target) = regex.expand(value, &rule.target_label) else {
        return;
    };
    let Some(replacement) = regex.expand(value, &rule.replacement) else {
        return;
    };
    if !target.is_empty() {
        labels.set(&target, &replacement);
    }
}

/// The last eight bytes of the MD5 sum, big endian, as Prometheus has always hashed.
fn hash(value: &str) -> u64 {
    let sum = Md5::digest(value.as_bytes());
    sum.iter()
        .skip(8)
        .fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

fn owned_pairs(labels: &LabelsBuilder) -> Vec<(String, String)> {
    labels
        .pairs()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn set(labels: &mut LabelsBuilder, rule: &RelabelConfig, value: &str) {
    labels.set(&rule.target_label, value);
}

#[cfg(test)]
mod tests;
