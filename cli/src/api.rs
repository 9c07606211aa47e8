//! What can be asked, and of whom.
//!
//! A question is a [`Call`] of the Prometheus API and an answer is its body, whoever answers: a
//! server over HTTP, or obsq's own engine in this process over a data directory or text. So `-o
//! json` is the exact body in each case, and every other format is made from it in one way.

mod access;
mod answer;
mod call;
mod debug;
mod http;
mod local;
mod open;
mod remote_write;

use std::pin::Pin;

pub(crate) use answer::{Answer, Point, QueryAnswer, SeriesAnswer, Value};
pub(crate) use call::{Call, QueryParameters};
pub(crate) use http::HttpApi;
pub(crate) use local::LocalApi;
pub(crate) use open::{
    Layout, layout, open_blocks, open_directory, open_log, read_exposition, tenant,
};
pub(crate) use remote_write::WriteVersion;

use crate::exit::Failure;

/// The status and body of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The HTTP status, or what it would be.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Samples and histograms that a receiver of remote write says it has stored.
    pub(crate) written: Option<usize>,
}

/// A running call.
pub(crate) type Asking<'a> = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + 'a>>;

/// Anything that answers the Prometheus API.
pub(crate) trait Api: std::fmt::Debug {
    /// Asks. An answer that says no is an answer; a failure means that there was none. Dropping
    /// the future cancels the work at its source.
    fn ask<'a>(&'a self, call: &'a Call) -> Asking<'a>;

    /// Returns who is asked, for messages.
    fn name(&self) -> String;
}
