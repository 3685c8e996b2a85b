#!/usr/bin/env python3
"""The program as a user meets it: starting, refusing to start, the printed commands, stopping, checking.

    tests/carrel/program_test.py build/release/carrel
"""
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import urllib.request

PROGRAM = None
WAIT_MAX_S = 120


class Server:
    """One `carrel serve`; its banner is read to the end, so it serves when the constructor returns."""

    def __init__(self, folder, *arguments):
        self.log = open(folder / "log", "ab")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data", folder / "data", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.banner = ""
        while "trial-balance" not in self.banner:
            line = self.process.stdout.readline()
            if not line:  # it ended
                raise AssertionError((folder / "log").read_text())
            self.banner += line
        self.url = re.search(r"http://\S+", self.banner).group()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.stdout.close()
        status = self.process.wait(WAIT_MAX_S)
        self.log.close()
        return status


class Program(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="carrel-program-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.stop(signal.SIGKILL)

    def serve(self, *arguments):
        self.servers.append(Server(self.folder, *arguments))
        return self.servers[-1]

    def run_program(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=WAIT_MAX_S, check=False)

    def refuses_to_serve(self, because, *arguments, status=1):
        done = self.run_program("serve", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(because, done.stderr)
        self.assertEqual(done.stdout, "")

    def ask(self, url, book="consumer"):
        request = urllib.request.Request(url, headers={"X-Carrel-Book": book})
        with urllib.request.urlopen(request, timeout=WAIT_MAX_S) as answer:
            return json.load(answer)

    def run_printed_commands(self, server):
        commands = server.banner[server.banner.index("  curl "):]
        done = subprocess.run(["bash", "-e"], input=commands.replace("curl ", "curl -sS --fail "),
                              capture_output=True, text=True, timeout=WAIT_MAX_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_the_printed_commands_work_on_a_fresh_folder(self):
        server = self.serve()
        account, voucher, balance = self.run_printed_commands(server)
        self.assertEqual(account["account"], "alice/2001")
        self.assertEqual(voucher["amount"], "10000")
        self.assertEqual(balance["totals"],
                         [{"currency": "CNY", "debit": "10000", "credit": "10000",
                           "balanced": True}])
        self.assertEqual(self.ask(server.url + "/v1/accounts/alice/2001")["balance"], "10000")

    def test_stops_at_either_signal_and_keeps_what_was_booked(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            server = self.serve()
            self.run_printed_commands(server)
            self.assertEqual(server.stop(how), 0)
            self.assertFalse((self.folder / "data" / "carrel.url").exists())
        self.assertEqual(self.run_program("check", "--data", self.folder / "data").returncode, 0)

    def test_writes_its_port_while_it_serves(self):
        port_file = self.folder / "port"
        server = self.serve("--port-file", port_file)
        self.assertEqual(server.url, f"http://127.0.0.1:{int(port_file.read_text())}")
        server.stop()
        self.assertFalse(port_file.exists())

    def test_refuses_what_it_cannot_serve_before_anything_is_done(self):
        data = self.folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = str(busy.getsockname()[1])
            self.refuses_to_serve("in use by another program", "--data", data, "--port", port)
        self.refuses_to_serve("no API keys", "--data", data, "--bind", "0.0.0.0")
        self.refuses_to_serve("is no IP address", "--data", data, "--bind", "localhost.example")
        self.refuses_to_serve("is not a setting", "--data", data, "--config",
                              self.settings("prot = 80\n"))
        self.refuses_to_serve("no log level", "--data", data, "--log", "loud")
        self.refuses_to_serve("expected", "--data", data, "--prot", "80", status=2)
        self.refuses_to_serve("--port", "--data", data, "--port", "70000", status=2)
        self.assertFalse(data.exists())
        (self.folder / "file").write_text("")
        self.refuses_to_serve("not a folder", "--port", "0", "--data", self.folder / "file")
        (self.folder / "locked").mkdir(mode=0o500)
        if os.geteuid() != 0:  # root may write anywhere
            self.refuses_to_serve("cannot be written", "--port", "0", "--data",
                                  self.folder / "locked" / "data")

    def test_refuses_a_second_process_on_the_same_books(self):
        self.serve()
        self.refuses_to_serve("in use", "--data", self.folder / "data", "--port", "0")

    def settings(self, text):
        file = self.folder / "carrel.toml"
        file.write_text(text)
        return file

    def test_reads_settings_and_lets_the_command_line_win(self):
        server = self.serve("--log", "off", "--config", self.settings(
            'port = 1\nlog = "debug"\nworkers = 3\n[limits]\nbody_bytes = 2000\n'
            '[rules.consumer.payment_cap]\ntier_two_max = 7\n'))
        threads = self.ask(server.url + "/debug/threads")
        self.assertEqual(threads["workers"]["threads"], 3)
        self.assertEqual((self.folder / "log").read_text(), "")

    def test_names_the_line_of_a_wrong_setting(self):
        for text, place, why in (
                ("port = 8080\nworkers = 0\n", ":2:", "from 1 to 1000"),
                ("[limits]\nbody_bytes = '1 MB'\n", ":2:", "'limits.body_bytes' must be a whole number"),
                ("limits = 5\n", ":1:", "'limits' must be a section"),
                ("data = 5\n", ":1:", "'data' must be a string"),
                ("[rules.consumer.no_such_rule]\n", ":1:", "'rules.consumer.no_such_rule' is not"),
                ("[rules.merchant.payment_cap]\n", ":1:", "'rules.merchant.payment_cap' is not"),
                ("port = \n", ":1:", "")):
            file = self.settings(text)
            self.refuses_to_serve(f"{file}{place}", "--config", file)
            self.refuses_to_serve(why, "--config", file)
        self.refuses_to_serve("no settings file", "--config", self.folder / "nowhere.toml")

    def test_logs_each_request_with_its_trace(self):
        server = self.serve("--log", "debug")
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        request = urllib.request.Request(
            server.url + "/v1/subjects",
            headers={"X-Carrel-Book": "consumer", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        urllib.request.urlopen(request, timeout=WAIT_MAX_S).close()
        server.stop()
        self.assertRegex((self.folder / "log").read_text(),
                         rf"debug \[{trace}\] GET /v1/subjects -> 200 in ")

    def acknowledged(self, text):
        file = self.folder / "acks"
        file.write_text(text)
        return file

    def test_checks_through_the_server_and_on_the_files(self):
        server = self.serve()
        self.run_printed_commands(server)
        acks = self.acknowledged("consumer\tfirst-credit\nconsumer\tfirst-credit\nconsumer\ttorn-of")
        where = (["--server", server.url], ["--data", self.folder / "data"])
        for place in where:
            done = self.run_program("check", *place, "--acks", acks, "--json")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            report = json.loads(done.stdout)
            self.assertTrue(report["clean"])
            self.assertEqual([book["book"] for book in report["books"]], ["consumer", "merchant"])
            self.assertEqual(report["books"][0]["rows"]["acknowledged"], 1)
        server.stop()
        done = self.run_program("check", *where[1], "--acks", acks)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("consumer book: clean", done.stdout)

    def test_check_finds_a_lost_key_wherever_it_looks(self):
        server = self.serve()
        acks = self.acknowledged("merchant\tnever-booked\n")
        for place in (["--server", server.url], ["--data", self.folder / "data"]):
            done = self.run_program("check", *place, "--acks", acks)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("never-booked", done.stdout)
        server.stop()
        done = self.run_program("check", "--data", self.folder / "data", "--acks", acks)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT CLEAN", done.stdout)

    def test_check_finds_a_changed_balance(self):
        server = self.serve()
        self.run_printed_commands(server)
        server.stop()
        with sqlite3.connect(self.folder / "data" / "consumer.db") as books:
            books.execute("update consumer_account set balance = balance + 1 where last_entry is not null")
        books.close()
        done = self.run_program("check", "--data", self.folder / "data")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("account_balance", done.stdout)

    def test_check_says_when_it_could_not_check(self):
        for arguments in (["--data", self.folder / "nowhere"], ["--server", "http://127.0.0.1:1"],
                          ["--acks", self.folder / "nowhere"],
                          ["--acks", self.acknowledged("no tab\n")]):
            done = self.run_program("check", *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("carrel check: ", done.stderr)
        self.assertFalse((self.folder / "nowhere").exists())

    def test_the_lab_lists_twelve_experiments_and_prints_pure_json(self):
        listed = self.run_program("lab")
        self.assertEqual(listed.returncode, 0)
        self.assertEqual(len(listed.stdout.splitlines()), 1 + 12)
        done = self.run_program("lab", "shared", "--json", "--jvm", "", "--out", self.folder / "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        results = json.loads(done.stdout)
        self.assertTrue(results["supported"])
        self.assertIn("<svg", (self.folder / "out" / "shared-sums.svg").read_text())
        self.assertIn("shared: shown in", done.stderr)
        self.assertEqual(self.run_program("lab", "nonsense").returncode, 2)

    def test_help_teaches_by_examples(self):
        for command in ("serve", "check"):
            done = self.run_program(command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("Examples:", done.stdout)
        self.assertEqual(self.run_program("--version").returncode, 0)
        self.assertEqual(self.run_program().returncode, 2)


if __name__ == "__main__":
    PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
