//! Header fields: one declaration serves reading, writing, dumping and the specification's tables.
//!
//! A *bundle* is a fixed list of unsigned fields. `bundle!` declares it once; spec section 3 prints
//! the same declarations as tables, and a test compares the two.

use crate::error::{Error, Result};

/// How a field is laid out in bytes (spec section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One byte.
    U8,
    /// LEB128: 7 bits a byte, least significant group first, at most 5 bytes, shortest form only.
    Varint,
    /// One byte at the end of a payload, where only such fields may follow; 0 if the payload ends
    /// before it.
    OptionalU8,
}

/// Declaration of one field.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Name as in the specification.
    pub name: &'static str,
    /// Layout.
    pub kind: Kind,
    /// Smallest allowed value.
    pub min: u32,
    /// Largest allowed value.
    pub max: u32,
    /// Meaning.
    pub doc: &'static str,
}

/// Reads bytes of one packet; knows where in the file it stands.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    base: u64,
}

impl<'a> Reader<'a> {
    /// A reader of `data`, whose first byte is byte `base` of the file.
    pub fn new(data: &'a [u8], base: u64) -> Self {
        Reader { data, at: 0, base }
    }

    /// Byte offset in the file of the next byte.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.data.len() - self.at
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize, what: &str) -> Result<&'a [u8]> {
        if n > self.remaining() {
            return Err(Error::format(
                self.offset(),
                format!("{what} needs {n} bytes, {} are left", self.remaining()),
            ));
        }
        let s = &self.data[self.at..self.at + n];
        self.at += n;
        Ok(s)
    }

    /// One field, checked against its range.
    pub fn field(&mut self, spec: &FieldSpec) -> Result<u32> {
        let start = self.offset();
        let v = match spec.kind {
            Kind::OptionalU8 if self.remaining() == 0 => 0,
            Kind::U8 | Kind::OptionalU8 => u32::from(self.bytes(1, spec.name)?[0]),
            Kind::Varint => self.varint(spec.name)?,
        };
        if v < spec.min || v > spec.max {
            return Err(Error::format(
                start,
                format!("{} is {v} (allowed {}..={})", spec.name, spec.min, spec.max),
            ));
        }
        Ok(v)
    }

    fn varint(&mut self, name: &str) -> Result<u32> {
        let start = self.offset();
        let mut v = 0u64;
        for i in 0..5 {
            let b = self.bytes(1, name)?[0];
            v |= u64::from(b & 0x7f) << (7 * i);
            if b & 0x80 == 0 {
                if (b == 0 && i > 0) || v > u64::from(u32::MAX) {
                    return Err(Error::format(
                        start,
                        format!("{name} is not a shortest-form 32-bit varint"),
                    ));
                }
                return Ok(v as u32);
            }
        }
        Err(Error::format(
            start,
            format!("{name} is a varint of more than 5 bytes"),
        ))
    }
}

/// Appends one field.
pub fn write_field(out: &mut Vec<u8>, spec: &FieldSpec, v: u32) {
    debug_assert!(
        (spec.min..=spec.max).contains(&v),
        "{} = {v} outside {}..={}",
        spec.name,
        spec.min,
        spec.max
    );
    match spec.kind {
        Kind::U8 | Kind::OptionalU8 => out.push(v as u8),
        Kind::Varint => {
            let mut v = v;
            while v >= 0x80 {
                out.push(v as u8 | 0x80);
                v >>= 7;
            }
            out.push(v as u8);
        }
    }
}

/// Number of fields that a writer writes.
pub fn written(specs: &[FieldSpec], values: &[(&'static str, u32)]) -> usize {
    let needed = |(spec, (_, v)): (&FieldSpec, &(_, u32))| spec.kind != Kind::OptionalU8 || *v != 0;
    specs
        .iter()
        .zip(values)
        .rposition(needed)
        .map_or(0, |last| last + 1)
}

/// Declares a bundle of fields: the struct, `read`, `write`, `dump` and the table `FIELDS`.
macro_rules! bundle {
    ($(#[$m:meta])* $name:ident { $($field:ident: $kind:ident($min:expr, $max:expr), $doc:literal;)* }) => {
        $(#[$m])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $(#[doc = $doc] pub $field: u32,)* }

        impl $name {
            /// The fields in stream order.
            pub const FIELDS: &'static [$crate::bitstream::fields::FieldSpec] = &[$($crate::bitstream::fields::FieldSpec {
                name: stringify!($field), kind: $crate::bitstream::fields::Kind::$kind, min: $min, max: $max, doc: $doc,
            },)*];

            /// Reads all fields, each checked against its range.
            pub fn read(r: &mut $crate::bitstream::fields::Reader<'_>) -> $crate::error::Result<Self> {
                let mut specs = Self::FIELDS.iter();
                $(let $field = r.field(specs.next().expect("one spec a field"))?;)*
                Ok($name { $($field,)* })
            }

            /// Appends the fields of [`Self::dump`].
            pub fn write(&self, out: &mut Vec<u8>) {
                for (spec, (_, v)) in Self::FIELDS.iter().zip(self.dump()) {
                    $crate::bitstream::fields::write_field(out, spec, v);
                }
            }

            /// Names and values in stream order; optional fields of 0 that end the list are left
            /// out.
            pub fn dump(&self) -> Vec<(&'static str, u32)> {
                let mut all = vec![$((stringify!($field), self.$field),)*];
                all.truncate($crate::bitstream::fields::written(Self::FIELDS, &all));
                all
            }
        }
    };
}
pub(crate) use bundle;

/// The specification's table of a bundle, in markdown.
pub fn spec_table(fields: &[FieldSpec]) -> String {
    let mut s = String::from("| field | type | range | meaning |\n|---|---|---|---|\n");
    for f in fields {
        let kind = match f.kind {
            Kind::U8 => "u8",
            Kind::Varint => "varint",
            Kind::OptionalU8 => "u8, optional",
        };
        s += &format!(
            "| `{}` | {kind} | {}..={} | {} |\n",
            f.name, f.min, f.max, f.doc
        );
    }
    s
}
