//! As much of XML as the answers of Amazon's query APIs need: elements and text.

/// Deepest nesting.
const MAX_DEPTH: usize = 64;
/// Most bytes of an entity, `;` included.
const MAX_ENTITY_BYTES: usize = 12;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Returns the first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns the text below a path of names, if there is any.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        let mut element = self;
        for name in path.split('/') {
            element = element.child(name)?;
        }
        Some(element.text.trim()).filter(|text| !text.is_empty())
    }

    /// Returns the elements of a list, which are called `item` or `member`.
    pub(super) fn items(&self, name: &str) -> impl Iterator<Item = &Self> {
        let lists = self.children.iter().filter(move |child| child.name == name);
        let items = lists.flat_map(|list| &list.children);
        items.filter(|child| matches!(child.name.as_str(), "item" | "member"))
    }
}

/// Returns the root element, or `None` when the text is no XML of that kind.
pub(super) fn parse(text: &str) -> Option<Element> {
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        open.last_mut()?.text.push_str(&unescape(before));
        let (tag, after) = after.split_once('>')?;
        rest = after;
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop()?;
            if element.name != name.trim() {
                return None;
            }
            open.last_mut()?.children.push(element);
            continue;
        }
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let element = Element {
            name: tag.split_whitespace().next()?.to_owned(),
            ..Element::default()
        };
        if is_empty {
            open.last_mut()?.children.push(element);
        } else if open.len() < MAX_DEPTH {
            open.push(element);
        } else {
            return None;
        }
    }
    let [root] = open.as_mut_slice() else {
        return None;
    };
    root.children.pop()
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // Looked for nearby only: in a text of many `&` the search would be quadratic.
        let end = after
            .bytes()
            .take(MAX_ENTITY_BYTES)
            .position(|byte| byte == b';');
        let Some((name, after)) = end.and_then(|_at| after.split_once(';')) else {
            out.push('&');
            rest = after;
            continue;
        };
        match (name, number(name)) {
            ("amp", _) => out.push('&'),
            ("lt", _) => out.push('<'),
            ("gt", _) => out.push('>'),
            ("quot", _) => out.push('"'),
            ("apos", _) => out.push('\''),
            (_, Some(c)) => out.push(c),
            (_, None) => {}
        }
        rest = after;
    }
    out + rest
}

fn number(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    char::from_u32(code.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lists_and_entities_are_read() {
        let text = "<?xml version=\"1.0\"?>\n<a xmlns=\"x\"><!-- c --><list><item><b> 1 &lt;&#65;&#x42;&amp; \
                    </b></item><item/></list><empty/></a>";
        let root = parse(text).unwrap();
        let items: Vec<_> = root.items("list").collect();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].text("b"), Some("1 <AB&"));
        assert_eq!((root.text("empty"), root.text("list/none")), (None, None));
    }

    #[test]
    fn a_text_of_ampersands_takes_no_longer_than_another() {
        let text = "&".repeat(1 << 20);
        assert_eq!(unescape(&text), text);
        assert_eq!(unescape("&waytoolongname;&lt;"), "&waytoolongname;<");
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a",
            "<>",
            &"<a>".repeat(100),
        ] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}
