//! Headers both halves of the edge agree on: what every answer carries (contract 1.3), and which
//! names never leave it.

/// On every answer.
pub const SECURITY: [(&str, &str); 6] = [
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("X-XSS-Protection", "1; mode=block"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Robots-Tag", "noindex"),
];

/// On every answer over TLS.
pub fn transport(secure: bool) -> Option<(&'static str, &'static str)> {
    let value = "max-age=31536000; includeSubDomains";
    secure.then_some(("Strict-Transport-Security", value))
}

/// On pages: only what this server sends runs, is shown or is talked to.
pub const PAGE: [(&str, &str); 1] = [(
    "Content-Security-Policy",
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
)];

/// On JSON answers, before [`SECURITY`].
pub const JSON: [(&str, &str); 3] = [
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Expires", "0"),
];

/// Headers of one connection only, and those that concern nobody outside.
pub fn is_internal(name: &str) -> bool {
    const HOP: [&str; 8] = [
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Server",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ];
    let ours = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("Warren-"));
    ours || HOP.into_iter().any(|hop| name.eq_ignore_ascii_case(hop))
}
