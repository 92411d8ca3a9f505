//! The REST API over a store in memory, with a stand-in for the platform.

mod accounts;
mod catalog;
mod desk;
mod headers;
mod operations;
mod platform;
mod refused;
mod roles;
mod setup;
mod workflows;
