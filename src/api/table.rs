//! The macro behind the table of routes: from one row come a variant of `Call` and of `Route`, and
//! how the call is read and written.

use super::Reject;
use super::routes::Route;
use std::fmt::Display;
use std::str::FromStr;

/// What a request must prove (contract 1.6, 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    None,
    /// A session and its CSRF token, or an API token's signature.
    Session,
    /// The same without CSRF token.
    Light,
    /// As `Session`, and the administrator is a super user.
    Super,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub route: Route,
    pub method: &'static str,
    /// `:name` stands for an identifier, also before a suffix such as `.tar`.
    pub pattern: &'static str,
    pub auth: Auth,
    /// Longest body; 0: takes none.
    pub body_limit: usize,
    /// May be answered "nothing yet", so that the front parks the client.
    pub waiting: bool,
    pub doc: &'static str,
}

/// What a call is read from.
pub struct Input<'a> {
    pub captures: std::vec::IntoIter<String>,
    pub query: &'a str,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
    pub body_limit: usize,
    /// Written by [`super::Call::encode`]: it was looked at when it was received.
    pub is_encoded: bool,
}

impl Input<'_> {
    pub fn capture<T: FromStr>(&mut self) -> Result<T, Reject> {
        self.captures.next().and_then(|text| text.parse().ok()).ok_or(Reject::NotFound)
    }
}

/// What a call is written to.
#[derive(Default)]
pub struct Output {
    pub captures: Vec<String>,
    pub query: String,
    pub body: Vec<u8>,
}

impl Output {
    pub fn capture(&mut self, value: &impl Display) {
        self.captures.push(value.to_string());
    }
}

/// `Name { id: Type, …; query: Type } = METHOD "/pattern", Auth, field of Row: value;`
///
/// Identifiers stand in the order of the pattern. Behind the semicolon stands `query` or `body`,
/// which names the module that reads and writes it.
macro_rules! routes {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident { $($id:ident: $id_type:ty),* $(; $part:ident: $part_type:ty)? }
        = $method:ident $pattern:literal, $auth:ident $(, $key:ident: $value:expr)*;
    )*) => {
        /// Which row a call belongs to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Route {
            $($(#[doc = $doc])+ $name,)*
        }

        /// A request that has a type.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Call {
            $($(#[doc = $doc])+ $name { $($id: $id_type,)* $($part: $part_type,)? },)*
        }

        /// All routes.
        pub const ROWS: &[Row] = &[$(Route::$name.row(),)*];

        impl Route {
            pub const fn row(self) -> Row {
                match self {
                    $(Route::$name => Row {
                        $($key: $value,)*
                        ..Row {
                            route: self,
                            method: stringify!($method),
                            pattern: $pattern,
                            auth: Auth::$auth,
                            body_limit: 0 $(+ $part::LIMIT)?,
                            waiting: false,
                            doc: concat!($($doc,)+),
                        }
                    },)*
                }
            }
        }

        impl Call {
            pub fn route(&self) -> Route {
                match self {
                    $(Call::$name { .. } => Route::$name,)*
                }
            }

            pub(super) fn read(route: Route, input: &mut Input<'_>) -> Result<Call, Reject> {
                Ok(match route {
                    $(Route::$name => Call::$name {
                        $($id: input.capture()?,)*
                        $($part: $part::read(input)?,)?
                    },)*
                })
            }

            pub(super) fn write(&self, output: &mut Output) {
                match self {
                    $(Call::$name { $($id,)* $($part,)? } => {
                        $(output.capture($id);)*
                        $($part::write($part, output);)?
                    })*
                }
            }
        }
    };
}
