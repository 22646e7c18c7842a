"""A router for tests: as much of a UPnP Internet Gateway Device, and of NAT-PMP (RFC 6886), as opens a port."""

import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"

DESCRIPTION = f"""<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>fake</friendlyName>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANCommonIFC1</serviceId><SCPDURL>/scpd</SCPDURL><controlURL>/common</controlURL>
<eventSubURL>/event</eventSubURL></service></serviceList>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>{SERVICE}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<SCPDURL>/scpd</SCPDURL><controlURL>/control</controlURL><eventSubURL>/event</eventSubURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>"""


class Igd:
    """Answers UPnP at self.url. `mappings` is {outside port: (host, inside port, lease)}; ports in `taken` belong to
    others; `refuses` answers every mapping with that UPnP error; `calls` counts them."""

    def __init__(self, external="127.0.0.1"):
        self.external = external
        self.mappings, self.taken, self.refuses, self.calls = {}, set(), None, 0
        self.permanent_only = False
        igd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(200, DESCRIPTION)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(*igd.act(self.headers["SOAPAction"].strip('"').split("#")[1], body))

            def answer(self, status, text):
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/igd.xml"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def act(self, action, body):
        def argument(name):
            return re.search(f"<{name}>([^<]*)</{name}>", body).group(1)

        if action == "GetExternalIPAddress":
            return self.reply(action, f"<NewExternalIPAddress>{self.external}</NewExternalIPAddress>")
        if action == "GetStatusInfo":
            return self.reply(action, "<NewConnectionStatus>Connected</NewConnectionStatus><NewLastConnectionError>"
                                      "ERROR_NONE</NewLastConnectionError><NewUptime>1</NewUptime>")
        if action == "DeletePortMapping":
            self.mappings.pop(int(argument("NewExternalPort")), None)
            return self.reply(action, "")
        if action != "AddPortMapping":
            return self.error(401)
        self.calls += 1
        port, lease = int(argument("NewExternalPort")), int(argument("NewLeaseDuration"))
        if self.refuses:
            return self.error(self.refuses)
        if port in self.taken:
            return self.error(718)
        if self.permanent_only and lease != 0:
            return self.error(725)
        self.mappings[port] = (argument("NewInternalClient"), int(argument("NewInternalPort")), lease)
        return self.reply(action, "")

    @staticmethod
    def envelope(inside):
        return ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
                's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' + inside +
                "</s:Body></s:Envelope>")

    def reply(self, action, inside):
        return 200, self.envelope(f'<u:{action}Response xmlns:u="{SERVICE}">{inside}</u:{action}Response>')

    def error(self, code):
        return 500, self.envelope(
            "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
            '<UPnPError xmlns="urn:schemas-upnp-org:control-1-0">'
            f"<errorCode>{code}</errorCode><errorDescription>no</errorDescription></UPnPError></detail></s:Fault>")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class NatPmp:
    """Answers NAT-PMP on port 5351 of a loopback address of its own."""

    def __init__(self, address, external="127.0.0.1"):
        self.url = f"natpmp://{address}"
        self.external, self.mappings, self.refuses = external, {}, False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 5351))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                ask, peer = self.socket.recvfrom(64)
            except OSError:
                return
            if len(ask) == 2 and ask[1] == 0:
                self.socket.sendto(struct.pack(">BBHI4s", 0, 128, 0, 1, socket.inet_aton(self.external)), peer)
            elif len(ask) == 12 and ask[1] == 2:
                inside, outside, lease = struct.unpack(">4xHHI", ask)
                if self.refuses:
                    self.socket.sendto(struct.pack(">BBHIHHI", 0, 130, 2, 1, inside, 0, 0), peer)
                    continue
                if lease == 0:
                    self.mappings.pop(inside, None)
                else:
                    self.mappings[inside] = (outside, lease)
                self.socket.sendto(struct.pack(">BBHIHHI", 0, 130, 0, 1, inside, outside, lease), peer)

    def close(self):
        self.socket.close()
