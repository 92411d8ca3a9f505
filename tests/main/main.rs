//! The binary as people use it: real processes, real sockets, real signals.

// The attribute tells clippy that these modules are tests as a whole.
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod client;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod embedding;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod http;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod process;
#[cfg(test)]
mod security;
#[cfg(test)]
mod stopping;
