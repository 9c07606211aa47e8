//! One file per command: its flags and what it does.

mod completions;
mod config;
mod ctx;
mod demo;
mod explain;
mod export;
mod fmt;
mod import;
mod labels;
mod man;
mod overview;
mod promtool;
mod query;
mod series;
mod serve;
mod shared;
mod topics;

pub(crate) use completions::{CompletionsArgs, completions};
pub(crate) use config::{ConfigArgs, config};
pub(crate) use ctx::{CtxArgs, ctx};
pub(crate) use demo::{DemoArgs, demo};
pub(crate) use explain::{ExplainArgs, explain};
pub(crate) use export::{ExportArgs, export};
pub(crate) use fmt::{FmtArgs, fmt};
pub(crate) use import::{ImportArgs, import};
pub(crate) use labels::{LabelsArgs, labels};
pub(crate) use man::{ManArgs, man};
pub(crate) use overview::overview;
pub(crate) use promtool::promtool_words;
pub(crate) use query::{QueryArgs, query};
pub(crate) use series::{SeriesArgs, series};
pub(crate) use serve::{ServeArgs, serve};
pub(crate) use topics::{ENVIRONMENT, EnvironmentArgs, ExitCodesArgs, TIMES, TimesArgs, topic};
