"""Taking the schema files of a package out of a zip or a folder, and keeping them as one blob.

Everything is counted while it is read, so that a hostile archive costs bounded memory: sizes are those that really come
out, never those that the archive claims.
"""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from gateway.errors import Failed

MAX_ENTRIES = 5_000
MAX_FILE = 16 * 1024 * 1024  # bytes of one schema file; the largest published ones are near 2 MB
MAX_TOTAL = 64 * 1024 * 1024  # bytes of all schema files of a package
MAX_RATIO = 100  # output over input of one entry, beyond the first 64 KB
RATIO_FREE = 64 * 1024
CHUNK = 64 * 1024


def refused(file: str, detail: str, line: int = 0) -> Failed:
    """The one way a package is refused: `file` and `line` (0: the whole file) say where, `detail` what to change."""
    at_pl, at_en = (f", wiersz {line}", f", line {line}") if line else ("", "")
    return Failed("schemas.package", file=file, line=line, at_pl=at_pl, at_en=at_en, detail=detail)


def read_files(source: Path) -> dict[str, bytes]:
    """The `.xsd` files of a zip or a folder, by their path inside it (with `/`). Raises Failed(schemas.package)."""
    if source.is_dir():
        found = _bounded(_of_folder(source))
    elif source.is_file():
        found = _unzip(source.read_bytes() if source.stat().st_size <= MAX_TOTAL else _too_large(source), source.name)
    else:
        raise refused(str(source), "there is no such zip or folder")
    if not found:
        raise refused(str(source), "there is no .xsd file inside; point at the folder or the zip that holds the schemas")
    return found


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as one zip; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpack(blob: bytes) -> dict[str, bytes]:
    """What `pack` packed."""
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _too_large(source: Path) -> bytes:
    raise refused(source.name, f"the file is larger than {MAX_TOTAL} bytes")


def _is_schema(name: str) -> bool:
    return name.lower().endswith(".xsd")


def _of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    home = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if not _is_schema(path.name) or path.is_dir():
            continue
        name = path.relative_to(folder).as_posix()
        if not path.resolve().is_relative_to(home):
            raise refused(name, "the link leads out of the folder; put the file itself there")
        if path.stat().st_size > MAX_FILE:
            raise refused(name, f"the file is larger than {MAX_FILE} bytes")
        yield name, path.read_bytes()


def _bounded(files: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, content in files:
        total += len(content)
        if len(found) >= MAX_ENTRIES or total > MAX_TOTAL:
            raise refused(name, f"the package has more than {MAX_ENTRIES} schema files or {MAX_TOTAL} bytes")
        found[name] = content
    return found


def _unzip(content: bytes, title: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise refused(title, f"the zip has {len(entries)} entries, {MAX_ENTRIES} are allowed")
            _check_names(entries)
            budget = MAX_TOTAL
            found: dict[str, bytes] = {}
            for entry in entries:
                if entry.is_dir() or not _is_schema(entry.filename):
                    continue
                found[entry.filename] = _read_entry(archive, entry, budget)
                budget -= len(found[entry.filename])
            return found
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, zipfile.LargeZipFile) as error:
        raise refused(title, f"not a readable zip ({error})") from error
    except Exception as error:
        if type(error).__module__ in {"zlib", "lzma", "_lzma", "_bz2"}:  # the decompressors' own errors
            raise refused(title, f"not a readable zip ({error})") from error
        raise


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    """Every entry, schema or not: an archive that tries to escape is not opened at all."""
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        parts = PurePosixPath(name).parts
        if not name or name.startswith("/") or "\\" in name or ":" in name or "\0" in name or ".." in parts:
            raise refused(name, "the path leads out of the package")
        if entry.flag_bits & 0x1:
            raise refused(name, "the entry is encrypted; pack it without a password")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise refused(name, "the entry is a link; pack the file itself")
        if name in seen:
            raise refused(name, "two entries of the zip have this name")
        seen.add(name)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: int) -> bytes:
    limit = min(MAX_FILE, budget)
    pieces: list[bytes] = []
    size = 0
    with archive.open(entry) as stream:
        while piece := stream.read(CHUNK):
            size += len(piece)
            if size > limit:
                raise refused(entry.filename, f"unpacked it is larger than allowed ({MAX_FILE} bytes a file, {MAX_TOTAL} in all)")
            if size > RATIO_FREE and size > MAX_RATIO * max(entry.compress_size, 1):
                raise refused(entry.filename, f"it unpacks to more than {MAX_RATIO} times its size")
            pieces.append(piece)
    return b"".join(pieces)
