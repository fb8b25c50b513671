/** Prints changes of devices until one named "stop" appears. */
import { createNetlinkConnection, createRtnetlinkMonitor, listLinks, newLink, RTNLGRP } from 'netlink-ts';
import { openEventTransport, openTransport } from './bun-transport.ts';

const abort = new AbortController();
// First listen, then list: nothing can change unseen in between.
using monitor = createRtnetlinkMonitor(() => openEventTransport([RTNLGRP.LINK]), { signal: abort.signal });
using connection = createNetlinkConnection(openTransport);
console.log(
  'now:',
  listLinks(connection)
    .map(({ name }) => name)
    .join(' '),
);

// Somebody else's work, for the sake of the example.
connection.execute(newLink({ name: 'first', info: { kind: 'bridge' } }));
connection.execute(newLink({ name: 'stop', info: { kind: 'bridge' } }));

for await (const event of monitor) {
  if (event.type === 'resync') {
    // The kernel had to drop events: what is known may be outdated.
    console.log(
      'again:',
      listLinks(connection)
        .map(({ name }) => name)
        .join(' '),
    );
  } else if (event.type === 'link') {
    console.log(event.action, event.link.name);
    if (event.link.name === 'stop') abort.abort();
  }
}
