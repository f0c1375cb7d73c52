//! Arguments of `nvc import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::parse::parse_ratio;
use nvc::frame::Ratio;

/// Arguments of `nvc import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Whose network.
    #[command(subcommand)]
    pub from: ImportFrom,
}

/// Programs whose networks can be imported.
#[derive(Debug, Subcommand)]
pub enum ImportFrom {
    /// A quantised checkpoint of the HNeRV authors' program, re-saved tensor by tensor
    /// (docs/import.md).
    Hnerv(ImportHnervArgs),
}

/// Arguments of `nvc import hnerv`.
#[derive(Debug, Args)]
pub struct ImportHnervArgs {
    /// Checkpoint in safetensors, with NAME.quant, NAME.min and NAME.scale for each tensor.
    pub input: PathBuf,
    /// File to write; - is stdout.
    #[arg(short, long, value_name = "OUT.nvc")]
    pub output: PathBuf,
    /// Frame rate, which checkpoints do not have.
    #[arg(long, value_name = "RATE", default_value = "25", value_parser = parse_ratio)]
    pub fps: Ratio,
    /// Overwrite the output.
    #[arg(short = 'y', long)]
    pub overwrite: bool,
}
