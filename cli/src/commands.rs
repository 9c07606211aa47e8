//! One file per command: its flags and what it does.

mod labels;
mod overview;
mod promtool;
mod query;
mod series;
mod serve;
mod shared;

pub(crate) use labels::{LabelsArgs, labels};
pub(crate) use overview::overview;
pub(crate) use promtool::promtool_words;
pub(crate) use query::{QueryArgs, query};
pub(crate) use series::{SeriesArgs, series};
pub(crate) use serve::{ServeArgs, serve};
