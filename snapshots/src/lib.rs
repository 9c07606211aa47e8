//! Binds insta snapshots of every crate to one folder, mirrored by crate.

use std::path::Path;

/// Makes the snapshots of the calling test lie in `snapshots/<room>`, for example
/// `bind("engine/model")`. Holds as long as the returned guard lives.
#[must_use = "the binding ends when the guard is dropped"]
pub fn bind(room: &str) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join(room));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind_to_scope()
}
