//! Evaluation of queries over sources.
//!
//! An evaluator sees parsed queries, series and columns of samples; it knows no file and no
//! network. Everything in this crate blocks and computes on the engine's own CPU pool, so it must
//! not be called on a worker of an async runtime.

pub mod promql;
