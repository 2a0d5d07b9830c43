"""Make docs/dialect.md anew."""

from .document import PATH, document

PATH.write_text(document(), encoding="utf-8")
