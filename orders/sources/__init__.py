"""Orders from shops and marketplaces: receive or poll, map, import once, report back. See docs/connectors.md."""
