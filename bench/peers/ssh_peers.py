"""Commands per second of paramiko and Fabric over one open connection: ssh_peers.py paramiko|fabric PORT KEY COUNT"""

import sys
import time

peer, port, key, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])

if peer == "paramiko":
    import paramiko

    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", port=port, username="root", key_filename=key, look_for_keys=False, allow_agent=False)

    def run():
        _, stdout, stderr = client.exec_command("true")
        stdout.read()
        stderr.read()
        return stdout.channel.recv_exit_status()

else:
    from fabric import Connection

    connection = Connection("127.0.0.1", user="root", port=port, connect_kwargs={"key_filename": key, "look_for_keys": False, "allow_agent": False})
    connection.open()

    def run():
        return connection.run("true", hide=True).exited


assert run() == 0
began = time.perf_counter()
for _ in range(count):
    assert run() == 0
print(count / (time.perf_counter() - began))
