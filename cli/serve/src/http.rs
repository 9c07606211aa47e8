//! What all HTTP handlers share.

pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod gate;
pub(crate) mod pool;
pub(crate) mod respond;
pub(crate) mod stream;
pub(crate) mod tenancy;
