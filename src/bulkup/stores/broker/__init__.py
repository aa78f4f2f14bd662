"""A `bulkup serve` as destination: it hands out URLs, and the bytes go where those lead.

store          the store's methods as calls of the server
sending        one content: announced, sent by the server's URLs, completed
announcements  files are announced together
answers        fields of its answers
calls          one call: JSON there, JSON back
errors         what a refusal means
http           the connections, by address
"""
