//! Families of representations as an encoder has them: one row of a table each.

use serde::Deserialize;

/// A family's row.
struct Row {
    name: &'static str,
    /// Peak learning rate that suits it.
    learning_rate: f64,
    /// Whether a group starts from the one before in its section.
    starts_warm: bool,
    /// Whether it is tried where none is given.
    tried: bool,
    /// Whether each frame is a group, fitted by itself.
    still: bool,
}

/// Declares [`Family`] and its table.
macro_rules! families {
    ($($(#[$meta:meta])* $family:ident { $($field:ident: $value:expr),* },)*) => {
        /// Families of representations.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        #[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
        #[serde(rename_all = "lowercase")]
        pub enum Family {
            $($(#[$meta])* $family,)*
        }

        impl Family {
            const ALL: &[Family] = &[$(Family::$family,)*];

            fn row(self) -> Row {
                match self {
                    $(Family::$family => Row { $($field: $value),* },)*
                }
            }
        }
    };
}

families! {
    /// Pyramid for a picture; for others, the one that a short trial on the first frames finds best.
    #[default]
    Auto { name: "auto", learning_rate: 0.015, starts_warm: false, tried: false, still: false },
    /// Hybrid neural representation: embeddings and a convolutional decoder.
    Hnerv { name: "hnerv", learning_rate: 0.015, starts_warm: false, tried: true, still: false },
    /// Positional code of the frame and a convolutional decoder.
    Nerv { name: "nerv", learning_rate: 0.03, starts_warm: false, tried: false, still: false },
    /// The same with residual blocks of separable convolutions.
    // 0.03 cost 6 dB at 139,000 parameters (docs/families.md)
    Nervpp { name: "nervpp", learning_rate: 0.012, starts_warm: false, tried: true, still: false },
    /// Sine network of patches; each group starts from the one before.
    Nirvana { name: "nirvana", learning_rate: 0.06, starts_warm: true, tried: true, still: false },
    /// Latent grids of halving resolution and tiny networks, for each picture by itself.
    Pyramid { name: "pyramid", learning_rate: 0.01, starts_warm: false, tried: false, still: true },
}

impl Family {
    /// Name as the command line has it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Peak learning rate that suits it.
    pub fn learning_rate(self) -> f64 {
        self.row().learning_rate
    }

    /// Whether a group starts from the one before in its section.
    pub fn starts_warm(self) -> bool {
        self.row().starts_warm
    }

    /// Whether each frame is a group, fitted by itself.
    pub fn is_still(self) -> bool {
        self.row().still
    }

    /// Families that are tried where none is given.
    pub(super) fn tried() -> impl Iterator<Item = Family> {
        Family::ALL.iter().copied().filter(|f| f.row().tried)
    }
}
