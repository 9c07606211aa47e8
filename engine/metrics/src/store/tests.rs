mod basic;
mod bench;
mod damage;
mod lifecycle;
mod many;
mod model;
mod races;
mod read_only;
