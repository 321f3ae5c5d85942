"""The file systems that are compared: how each is mounted, and unmounted.

Every party shows the same files in the directory `path`. `need()` raises Skip
when the party cannot run here. A party that is stopped can be started again,
with what it keeps on disk."""
import os
import resource
import shutil
import subprocess

from harness import DEADLINE, Skip, is_mounted, is_served, need, until

EXAMPLES = "/usr/share/doc/libfuse3-dev/examples"


class Party:
    """A directory of the local file system; others build on it."""
    name = "ext4"
    options = ""  # worth knowing when figures are compared
    pid = None  # of the daemon

    def __init__(self, path):
        self.path = path

    def start(self):
        pass

    def stop(self):
        pass

    def before(self):
        """A run begins."""

    def caused(self):
        """What the run caused, beyond time: members of its figures."""
        return {}


def local(path):
    """The local file system by its right name."""
    party = Party(path)
    party.name = subprocess.run(
        ["stat", "-f", "-c", "%T", path], check=True, capture_output=True,
        text=True).stdout.strip().replace("ext2/ext3", "ext4")
    return party


class Sesfs(Party):
    """A mount of the harness; `path` is its INBOX."""
    name = "sesfs"

    def __init__(self, bench, source, *args, leaf="new", name="sesfs"):
        self.bench = bench
        self.leaf = leaf
        self.mount = bench.mount(source, "--poll", "86400", "--kms-rate",
                                 "100000", *args, name=name)
        self.options = " ".join(["--kms-rate=100000", *args])
        self.at_start()

    def at_start(self):
        self.path = os.path.join(self.mount.path, self.leaf)
        self.pid = self.mount.process.pid

    def start(self):
        self.mount.start()
        self.at_start()
        self.until_idle()

    def until_idle(self):
        """The first pass of a daemon is no part of what is measured."""
        def idle():
            s = self.mount.status()["sync"]
            return s["phase"] == "idle" and s["last_pass"] is not None
        until("the first pass", idle)

    def stop(self):
        self.mount.stop()
        self.pid = None

    def save(self):
        """Keep a copy of the state directory, of a daemon that stopped."""
        self.saved = self.mount.state + ".saved"
        shutil.copytree(self.mount.state, self.saved)

    def restore(self):
        shutil.rmtree(self.mount.state)
        shutil.copytree(self.saved, self.mount.state)

    def before(self):
        self.bench.cloud.reset_counters()
        self.fuse = self.mount.status()["fuse"]

    def caused(self):
        fuse = self.mount.status()["fuse"]
        return {"requests": requests(self.bench.cloud),
                "fuse": {k: v - self.fuse[k] for k, v in fuse.items()
                         if v != self.fuse[k]}}


def requests(cloud):
    """Requests by kind that the cloud has seen."""
    return {k: v for k, v in cloud.counters().items()
            if k.startswith(("s3.", "kms.")) and v}


class Daemon(Party):
    """A peer that serves its mount in the foreground."""
    programs = ()
    counts_requests = False

    def __init__(self, bench):
        need(*self.programs)
        self.bench = bench
        self.path = os.path.join(bench.work, self.name)
        os.makedirs(self.path, exist_ok=True)
        self.env = dict(bench.env)
        self.process = None
        bench.parties.append(self)

    def argv(self):
        raise NotImplementedError

    def start(self):
        log = open(self.path + ".log", "ab")
        self.process = subprocess.Popen(
            self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=self.env, preexec_fn=many_files)
        log.close()
        until(f"{self.name} to be mounted", lambda: is_served(self.path)
              or self.process.poll() is not None)
        if self.process.poll() is not None:
            with open(self.path + ".log", errors="replace") as f:
                raise AssertionError(f"{self.name}: {f.read()[-2000:]}")
        self.pid = self.process.pid

    def stop(self):
        if self.process is None:
            return
        if is_mounted(self.path):
            subprocess.run(["umount", self.path], check=False,
                           stderr=subprocess.DEVNULL)
        if is_mounted(self.path):
            subprocess.run(["fusermount3", "-uz", self.path], check=False)
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = self.pid = None

    def before(self):
        if self.counts_requests:
            self.bench.cloud.reset_counters()

    def caused(self):
        if not self.counts_requests:
            return {}
        return {"requests": requests(self.bench.cloud)}


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Passthrough(Daemon):
    """libfuse's example, which does nothing but pass on: the floor under any
    FUSE daemon that is asked for every open."""
    name = "passthrough_ll"
    options = "cache=always"

    def __init__(self, bench, source):
        source_c = os.path.join(EXAMPLES, "passthrough_ll.c")
        self.source = source
        self.program = os.path.join(bench.work, "passthrough_ll.program")
        if not os.path.exists(source_c):
            raise Skip("libfuse3-dev came without its examples")
        need("cc", "pkg-config")
        flags = subprocess.run(["pkg-config", "fuse3", "--cflags", "--libs"],
                               check=True, capture_output=True, text=True)
        built = subprocess.run(
            ["cc", "-O2", "-w", "-o", self.program, source_c,
             *flags.stdout.split()], capture_output=True, text=True)
        if built.returncode != 0:
            raise Skip("the example does not build: " + built.stderr[-300:])
        super().__init__(bench)

    def argv(self):
        return [self.program, "-f", "-o", "cache=always", "-o",
                "source=" + self.source, self.path]


class Gocryptfs(Daemon):
    """Local encryption, as the measure of what decryption may cost."""
    name = "gocryptfs"
    programs = ("gocryptfs",)

    def __init__(self, bench):
        super().__init__(bench)
        self.cipher = self.path + ".cipher"
        self.password = self.path + ".password"
        os.mkdir(self.cipher)
        with open(self.password, "w") as f:
            f.write("benchmark\n")
        subprocess.run(["gocryptfs", "-q", "-init", "-scryptn", "10",
                        "-passfile", self.password, self.cipher], check=True)

    def argv(self):
        return ["gocryptfs", "-q", "-nosyslog", "-fg", "-passfile",
                self.password, self.cipher, self.path]


class Rclone(Daemon):
    """rclone with the options that its manual advises for speed; it hands out
    the ciphertext as it lies in S3."""
    name = "rclone"
    programs = ("rclone",)
    counts_requests = True

    def __init__(self, bench, bucket_path, cache="off"):
        super().__init__(bench)
        self.remote = "cloud:" + bucket_path
        self.options = (f"--read-only --vfs-cache-mode {cache} "
                        "--use-server-modtime --vfs-fast-fingerprint "
                        "--dir-cache-time 24h")
        self.env.update({"RCLONE_CONFIG_CLOUD_" + k: v for k, v in {
            "TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true",
            "ENDPOINT": bench.cloud.url, "REGION": "us-east-1",
            "FORCE_PATH_STYLE": "true"}.items()})

    def argv(self):
        return ["rclone", "mount", self.remote, self.path, "--cache-dir",
                self.path + ".cache", *self.options.split()]


class S3fs(Daemon):
    """s3fs as it is by default, without a cache on disk."""
    name = "s3fs"
    programs = ("s3fs",)
    counts_requests = True

    def __init__(self, bench, bucket_path):
        super().__init__(bench)
        self.remote = bucket_path.replace("/", ":/", 1)
        self.password = self.path + ".password"
        with open(self.password, "w") as f:
            f.write("test:testsecret\n")
        os.chmod(self.password, 0o600)
        self.env = {k: v for k, v in self.env.items()
                    if not k.startswith("AWS_")}

    def argv(self):
        options = ["url=" + self.bench.cloud.url, "use_path_request_style",
                   "endpoint=us-east-1", "sigv4",
                   "passwd_file=" + self.password]
        return ["s3fs", self.remote, self.path, "-f",
                *(w for o in options for w in ("-o", o))]
