//! Whole queries against series in memory.

mod aggregates;
mod functions;
mod info;
mod limits;
mod math;
mod names;
mod native;
mod operators;
mod over_time;
mod plans;
mod properties;
mod ranges;
mod selection;
mod statistics;
