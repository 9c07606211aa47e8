mod basic;
mod bench;
mod model;
