//! As much of `dig` as the guides use, so that they can be run without it.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use hickory_proto::{
    op::{Edns, Message, Query},
    rr::{
        Name, RecordType,
        rdata::opt::{ClientSubnet, EdnsOption},
    },
};

/// What `dig +short @ADDRESS -p PORT NAME [TYPE] [+subnet=PREFIX]` prints, sorted; `None` where no answer comes.
pub(crate) fn dig(words: &[&str]) -> Option<Vec<String>> {
    let mut words = words.iter();
    let (mut address, mut port, mut name, mut kind) = (None, None, None, RecordType::A);
    let mut query = Message::query();
    while let Some(word) = words.next() {
        if let Some(server) = word.strip_prefix('@') {
            address = Some(server.parse().unwrap());
        } else if *word == "-p" {
            port = words.next().map(|port| port.parse().unwrap());
        } else if let Some(subnet) = word.strip_prefix("+subnet=") {
            let subnet: ClientSubnet = subnet.parse().unwrap();
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::Subnet(subnet));
            query.set_edns(edns);
        } else if let Ok(asked) = word.parse() {
            kind = asked;
        } else if *word != "+short" {
            name = Some(Name::from_ascii(format!("{word}.")).unwrap());
        }
    }
    query.add_query(Query::query(name.unwrap(), kind));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
        .send_to(
            &query.to_vec().unwrap(),
            SocketAddr::new(address.unwrap(), port.unwrap()),
        )
        .unwrap();
    let mut packet = [0; 4_096];
    let length = socket.recv(&mut packet).ok()?;
    let answer = Message::from_vec(&packet[..length]).unwrap();
    let mut printed: Vec<String> = answer
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect();
    printed.sort();
    Some(printed)
}
