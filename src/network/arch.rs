//! The list of representations.

use super::hnerv::Hnerv;
use super::nerv::Nerv;
use super::nirvana::Nirvana;
use super::pyramid::Pyramid;
use super::representation::Representation;
use crate::bitstream::fields::{Reader, write_field};
use crate::bitstream::header::HnervStage;
use crate::error::{Error, Result};

/// Declares [`Arch`]: a variant for each representation.
macro_rules! representations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A group's representation: its own header fields.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Arch {
            $($(#[$doc])* $name($name),)*
        }

        impl Arch {
            /// Reads the header fields of architecture `id`.
            pub fn read(id: u32, r: &mut Reader<'_>) -> Result<Self> {
                $(if let Some(a) = $name::read(id, r)? {
                    return Ok(Arch::$name(a));
                })*
                let what = format!("architecture {id} (this decoder knows 1 to 6)");
                Err(Error::Unsupported(what))
            }
        }

        impl std::ops::Deref for Arch {
            type Target = dyn Representation;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Arch::$name(a) => a,)*
                }
            }
        }
    };
}

representations! {
    /// Spec sections 6.1 and 6.5.
    Hnerv,
    /// Spec sections 6.2 and 6.3.
    Nerv,
    /// Spec section 6.4.
    Nirvana,
    /// Spec section 6.6.
    Pyramid,
}

impl Arch {
    /// Names and values of its fields, in stream order, but for those of the stages.
    pub fn dump(&self) -> Vec<(&'static str, u32)> {
        self.fields().iter().map(|(f, v)| (f.name, *v)).collect()
    }

    /// Refuses fields that no header can hold.
    pub fn check_fields(&self) -> Result<()> {
        let stage = |s: &HnervStage| {
            let values = s.dump().into_iter().map(|(_, v)| v);
            HnervStage::FIELDS.iter().zip(values).collect::<Vec<_>>()
        };
        let stages = self.stages().iter().flat_map(stage);
        let mut all = self.fields().into_iter().chain(stages);
        match all.find(|(f, v)| !(f.min..=f.max).contains(v)) {
            Some((f, v)) => Err(Error::Unsupported(format!(
                "{} is {v} (allowed {}..={})",
                f.name, f.min, f.max
            ))),
            None => Ok(()),
        }
    }

    /// Appends the header fields.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (spec, v) in self.fields() {
            write_field(out, spec, v);
        }
        self.stages().iter().for_each(|s| s.write(out));
    }
}
