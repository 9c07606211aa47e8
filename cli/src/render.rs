//! Answers as text.

mod query;
mod sheet;

pub(crate) use query::{
    chart_lines, is_plain, labels_text, query_jsonl, query_promql, query_raw, query_sheet,
};
pub(crate) use sheet::Sheet;
