//! Where the server runs and how others reach it.

use std::net::SocketAddr;

use crate::ServeOptions;
use crate::prom::GlobalUrl;

/// Returns the machine's name, or `localhost` where the system does not tell.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// Returns a number that differs from machine to machine: FNV-1a of the name.
pub(super) fn host_fingerprint() -> u64 {
    let name = hostname();
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns the rule by which URLs of local targets are shown to others.
pub(super) fn global_url(options: &ServeOptions, scheme: &str, http: SocketAddr) -> GlobalUrl {
    let own = || format!("{scheme}://{}:{}", hostname(), http.port());
    let external = options.external_url.clone().unwrap_or_else(own);
    GlobalUrl::new(&external, http.port())
}
