"""Write the parts of docs/ that are made from the code again: `python -m tests.reference`."""

from __future__ import annotations

from . import made_parts, with_part


def main() -> None:
    """Write each part into its page, and name the pages that changed."""
    for (page, name), part in made_parts().items():
        text = page.read_text(encoding="utf-8")
        if (changed := with_part(text, name, part)) != text:
            page.write_text(changed, encoding="utf-8")
            print(f"{page}: {name}")


if __name__ == "__main__":
    main()
