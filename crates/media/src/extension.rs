//! What names end in.

use std::path::Path;

/// What stands behind a name's last point, in lower case.
pub fn extension(path: impl AsRef<Path>) -> String {
    path.as_ref()
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// Whether a name is one of a picture.
pub fn is_picture(path: &Path) -> bool {
    matches!(
        extension(path).as_str(),
        "png" | "jpg" | "jpeg" | "webp" | "gif"
    )
}
