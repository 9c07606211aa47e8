//! Whole queries against series in memory.

mod aggregates;
mod functions;
mod limits;
mod names;
mod operators;
mod plans;
mod properties;
mod selection;
mod statistics;
