//! Who is let in: passwords, what browsers and programs show, and how often it may be tried.

mod attempts;
mod first;
mod password;
mod token;

pub(crate) use attempts::Attempts;
pub use first::{FirstError, SetupOffer, make_first_administrator, offer_setup};
pub(crate) use first::{administrator, is_username};
pub(crate) use password::Passwords;
pub use password::{PasswordError, hash_password};
pub(crate) use token::{API_TOKEN_PREFIX, csrf_of, hash_of, is_token, random, same};
