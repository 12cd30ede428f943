// The handshake. The one who connects says who it is and sends a nonce; the other answers with a nonce of its own and
// a proof, an HMAC under the key of all that was said; the first proves itself in the same way. All three messages
// have fixed lengths, so a stranger can make nobody read more.
#include "collective/mesh.h"

#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "collective/all_reduce.h"
#include "collective/failure.h"
#include "collective/hmac.h"

namespace rs::collective {
namespace {

// Strangers that may stand at the door at once; the oldest goes first.
constexpr size_t kMostGuests = 64;

using Nonce = std::array<uint8_t, 32>;

struct Hello {
  char magic[8];
  int32_t from, to, size, reserved;
  Nonce nonce;
};

struct Answer {
  Nonce nonce;
  Digest proof;
};

constexpr char kMagic[8] = {'R', 'S', 'R', 'I', 'N', 'G', '0', '1'};

Nonce make_nonce() {
  Nonce nonce;
  if (getrandom(nonce.data(), nonce.size(), 0) != static_cast<ssize_t>(nonce.size())) {
    throw std::runtime_error("no random numbers from the system: " + system_error_text(errno));
  }
  return nonce;
}

// `side` keeps one side's proof from serving as the other's.
Digest prove(const char* side, const std::string& key, const Hello& hello, const Nonce& answer) {
  std::string said(side);
  said.append(reinterpret_cast<const char*>(&hello), sizeof hello);
  said.append(reinterpret_cast<const char*>(answer.data()), answer.size());
  return hmac_sha256(key, said);
}

class Mesh {
 public:
  Mesh(const Socket& listener, int rank, const std::vector<Address>& addresses, const std::string& key, Socket::Time end)
      : listener_(listener), rank_(rank), size_(static_cast<int>(addresses.size())), addresses_(addresses), key_(key),
        end_(end), sockets_(addresses.size()) {}

  std::vector<Socket> connect() {
    // A rank answers once its own lower ranks have: rank 0 answers at once, so nobody waits in a circle.
    for (int peer = 0; peer < rank_; ++peer) {
      if (are_peers(peer, rank_, size_)) call(peer);
    }
    while (missing() != Failure::kNoRank) open_door();
    return std::move(sockets_);
  }

 private:
  // Someone at the listener, and how much of its next message has come.
  struct Guest {
    Socket socket;
    size_t have = 0;
    bool greeted = false;
    Hello hello = {};
    Answer answer = {};
    Digest proof = {};
  };

  Socket& socket(int peer) { return sockets_[static_cast<size_t>(peer)]; }

  int missing() {
    for (int peer = rank_ + 1; peer < size_; ++peer) {
      if (are_peers(peer, rank_, size_) && !socket(peer).is_open()) return peer;
    }
    return Failure::kNoRank;
  }

  void call(int peer) {
    const std::string who = "rank " + std::to_string(peer);
    const Address& address = addresses_[static_cast<size_t>(peer)];
    Socket socket;
    try {
      socket = Socket::connect(address.host, address.port, end_);
    } catch (const std::runtime_error& e) {
      throw Failure(Failure::kRankLost, peer, who + " cannot be reached: " + e.what());
    }
    Hello hello = {};
    std::memcpy(hello.magic, kMagic, sizeof kMagic);
    hello.from = rank_, hello.to = peer, hello.size = size_;
    hello.nonce = make_nonce();
    Answer answer;
    if (!socket.send_all(&hello, sizeof hello, end_) || !socket.receive_all(&answer, sizeof answer, end_)) {
      const bool late = std::chrono::steady_clock::now() >= end_;
      throw Failure(late ? Failure::kTimeout : Failure::kRankLost, peer,
                    who + (late ? " did not answer in time" : " closed the connection before it was made"));
    }
    if (!same(answer.proof, prove("accept", key_, hello, answer.nonce))) {
      throw Failure(Failure::kMismatch, peer, who + " has another secret");
    }
    const Digest proof = prove("connect", key_, hello, answer.nonce);
    if (!socket.send_all(&proof, sizeof proof, end_)) {
      throw Failure(Failure::kRankLost, peer, who + " closed the connection before it was made");
    }
    this->socket(peer) = std::move(socket);
  }

  // Waits until something happens at the listener or with a guest, and deals with it.
  void open_door() {
    std::vector<pollfd> events = {{listener_.descriptor(), POLLIN, 0}};
    for (const Guest& guest : guests_) events.push_back({guest.socket.descriptor(), POLLIN, 0});
    const int ready = poll(events.data(), events.size(), until(end_));
    if (ready < 0 && errno == EINTR) return;
    if (ready <= 0) {
      const int peer = missing();
      throw Failure(Failure::kTimeout, peer, "rank " + std::to_string(peer) + " did not connect in time");
    }
    for (size_t i = guests_.size(); i-- > 0;) {
      if (events[i + 1].revents != 0 && !hear(guests_[i])) guests_.erase(guests_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (events[0].revents == 0) return;
    Guest guest;
    guest.socket = listener_.accept();
    if (guest.socket.is_open()) guests_.push_back(std::move(guest));
    if (guests_.size() > kMostGuests) guests_.erase(guests_.begin());
  }

  // Reads what there is; false where the guest is done with, be it a peer now or a stranger.
  bool hear(Guest& guest) {
    char* message = guest.greeted ? reinterpret_cast<char*>(&guest.proof) : reinterpret_cast<char*>(&guest.hello);
    const size_t length = guest.greeted ? sizeof guest.proof : sizeof guest.hello;
    if (!guest.socket.receive_all(message + guest.have, 1, std::chrono::steady_clock::now())) return false;
    guest.have += 1;
    while (guest.have < length && guest.socket.receive_all(message + guest.have, 1, std::chrono::steady_clock::now())) {
      guest.have += 1;
    }
    if (guest.have < length) return true;
    guest.have = 0;
    return guest.greeted ? admit(guest) : greet(guest);
  }

  bool greet(Guest& guest) {
    const Hello& hello = guest.hello;
    const bool expected = std::memcmp(hello.magic, kMagic, sizeof kMagic) == 0 && hello.to == rank_ &&
                          hello.size == size_ && hello.from > rank_ && hello.from < size_ &&
                          are_peers(hello.from, rank_, size_) && !socket(hello.from).is_open();
    if (!expected) return false;
    guest.answer.nonce = make_nonce();
    guest.answer.proof = prove("accept", key_, hello, guest.answer.nonce);
    guest.greeted = true;
    return guest.socket.send_all(&guest.answer, sizeof guest.answer, end_);
  }

  bool admit(Guest& guest) {
    if (same(guest.proof, prove("connect", key_, guest.hello, guest.answer.nonce))) {
      Socket& place = socket(guest.hello.from);
      if (!place.is_open()) place = std::move(guest.socket);
    }
    return false;
  }

  const Socket& listener_;
  const int rank_, size_;
  const std::vector<Address>& addresses_;
  const std::string& key_;
  const Socket::Time end_;
  std::vector<Socket> sockets_;
  std::vector<Guest> guests_;
};

}  // namespace

std::vector<Socket> connect_mesh(const Socket& listener, int rank, const std::vector<Address>& addresses,
                                 const std::string& key, Socket::Time end) {
  return Mesh(listener, rank, addresses, key, end).connect();
}

}  // namespace rs::collective
