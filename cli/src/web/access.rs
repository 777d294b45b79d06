//! Checks whether a request may be answered.
//!
//! The page has no cookies, so another site cannot use them. Three attacks remain: a page on another site that sends
//! requests (refused by their origin), a foreign host name that points to this machine (DNS rebinding; refused by the
//! host name), and, if the server listens on an address other than localhost, anyone without the token.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, StatusCode, Uri, header};

/// The rules for one server.
#[derive(Clone, Debug)]
pub struct Access {
    address: SocketAddr,
    /// The host name given to `--listen`, if it was a name.
    name: Option<String>,
    token: Option<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request names a host that is not this server.
    #[error("this server has another name; use the address that it printed")]
    Host,
    /// The request comes from a page of another site.
    #[error("requests from other sites are refused")]
    Origin,
    /// The token is missing or wrong.
    #[error("a token is needed: open the complete address that the server printed")]
    Token,
}

impl Denied {
    /// The HTTP status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }
}

impl Access {
    /// Rules for a server at `address`, which may also have a `name`. On an address other than localhost the API needs
    /// `token`.
    ///
    /// # Panics
    /// If the address is not localhost and there is no token.
    pub fn new(address: SocketAddr, name: Option<String>, token: Option<String>) -> Self {
        assert!(
            address.ip().is_loopback() || token.is_some(),
            "an address other than localhost needs a token"
        );
        Self { address, name: name.map(|n| n.to_ascii_lowercase()), token }
    }

    /// The address for people to open. The token is after the `#`, which a browser does not send.
    pub fn url(&self) -> String {
        let port = self.address.port();
        let host = match (&self.name, self.address.ip()) {
            (Some(name), _) => name.clone(),
            (None, IpAddr::V6(ip)) => format!("[{ip}]"),
            (None, ip) => ip.to_string(),
        };
        let token = self.token.as_ref().map(|t| format!("#token={t}")).unwrap_or_default();
        format!("http://{host}:{port}/{token}")
    }

    /// Checks whether a request may be answered. `open` requests, for the page's own files, need no token.
    ///
    /// # Errors
    /// [`Denied`] if the host, the origin or the token is wrong.
    pub fn check(&self, headers: &HeaderMap, open: bool) -> Result<(), Denied> {
        let text = |name| single(headers, name);
        let host = text(header::HOST).ok_or(Denied::Host)?;
        if !self.is_own_host(host) {
            return Err(Denied::Host);
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = text(header::ORIGIN).unwrap_or_default();
            let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if !site.is_some_and(|site| site.eq_ignore_ascii_case(host)) {
                return Err(Denied::Origin);
            }
        }
        // Browsers set this header to say where a request comes from.
        if !open
            && headers.contains_key("sec-fetch-site")
            && !["same-origin", "none"]
                .contains(&text("sec-fetch-site".parse().expect("a name")).unwrap_or_default())
        {
            return Err(Denied::Origin);
        }
        match &self.token {
            Some(token) if !open => {
                let given = text(header::AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
                if given.is_some_and(|given| constant_time_eq(given, token)) {
                    Ok(())
                } else {
                    Err(Denied::Token)
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether `host` names this server: an IP address, `localhost`, or the name given to `--listen`. The port may differ,
    /// as in a tunnel.
    fn is_own_host(&self, host: &str) -> bool {
        let Ok(uri) = format!("http://{host}/").parse::<Uri>() else { return false };
        // Refuse anything except host and port, such as `user@`.
        let Some(authority) = uri.authority().filter(|a| a.as_str() == host && !host.contains('@')) else {
            return false;
        };
        let port = &host[authority.host().len()..];
        if !(port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok())) {
            return false;
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match name.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || !self.address.ip().is_loopback(),
            Err(_) => name == "localhost" || self.name.as_ref() == Some(&name),
        }
    }
}

/// A header's value, if the header occurs once and is text.
fn single(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// Compares two texts in constant time.
fn constant_time_eq(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).fold(
            HeaderMap::new(),
            |mut all, (name, value): (header::HeaderName, header::HeaderValue)| {
                all.append(name, value);
                all
            },
        )
    }

    #[test]
    fn localhost_answers_only_to_its_own_names() {
        let access = Access::new("127.0.0.1:7878".parse().unwrap(), None, None);
        let host = |host| access.check(&headers(&[("host", host)]), false);
        for good in ["127.0.0.1:7878", "localhost:7878", "LOCALHOST", "[::1]:7878", "127.0.0.1:9000"] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:7878",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1:7878",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost:7878/../x",
            "localhost:port",
            "",
            " ",
        ] {
            assert_eq!(host(bad), Err(Denied::Host), "{bad}");
        }
        assert_eq!(access.check(&headers(&[]), true), Err(Denied::Host));
        let two = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(access.check(&two, true), Err(Denied::Host));
    }

    #[test]
    fn other_sites_are_refused() {
        let access = Access::new("127.0.0.1:7878".parse().unwrap(), None, None);
        let from = |origin, site| {
            let list = [("host", "localhost:7878"), ("origin", origin), ("sec-fetch-site", site)];
            access.check(&headers(&list), false)
        };
        assert_eq!(from("http://localhost:7878", "same-origin"), Ok(()));
        for bad in
            ["http://evil.example", "null", "http://localhost:9000", "http://localhost:7878.evil.example", ""]
        {
            assert_eq!(from(bad, "same-origin"), Err(Denied::Origin), "{bad}");
        }
        for bad in ["cross-site", "same-site", ""] {
            assert_eq!(from("http://localhost:7878", bad), Err(Denied::Origin), "{bad}");
        }
    }

    #[test]
    fn other_addresses_need_the_token() {
        let access =
            Access::new("0.0.0.0:80".parse().unwrap(), Some("Lab.example".into()), Some("secret".into()));
        let with =
            |host, token, open| access.check(&headers(&[("host", host), ("authorization", token)]), open);
        assert_eq!(with("192.0.2.7", "Bearer secret", false), Ok(()));
        assert_eq!(with("lab.example:80", "Bearer secret", false), Ok(()));
        assert_eq!(with("evil.example", "Bearer secret", false), Err(Denied::Host));
        for bad in ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secretx", "bearer secret", "secret"] {
            assert_eq!(with("192.0.2.7", bad, false), Err(Denied::Token), "{bad}");
        }
        assert_eq!(with("192.0.2.7", "", true), Ok(()), "the page's files hold no secrets");
        assert_eq!(access.url(), "http://lab.example:80/#token=secret");
    }

    #[test]
    #[should_panic(expected = "needs a token")]
    fn an_open_address_without_a_token_panics() {
        Access::new("0.0.0.0:80".parse().unwrap(), None, None);
    }
}
