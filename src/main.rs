//! The `hermod` binary.

mod bundle;
mod cli;
mod client;
mod config;
mod control;
mod damage;
mod data_dir;
mod dead_letters;
mod failure;
mod logging;
mod node;
mod output;
mod platform;
mod signals;

fn main() -> std::process::ExitCode {
    cli::main()
}
