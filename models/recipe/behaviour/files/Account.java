package org.example.bank;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** An account with its bookings. */
public final class Account {
    private final String owner;
    private final List<Long> bookings = new ArrayList<>();

    public Account(String owner) {
        this.owner = owner;
    }

    public void book(long cents) {
        if (cents == 0) {
            throw new IllegalArgumentException("nothing to book");
        }
        bookings.add(cents);
    }

    public long balance() {
        return bookings.stream().mapToLong(Long::longValue).sum();
    }

    public List<Long> bookings() {
        return Collections.unmodifiableList(bookings);
    }

    @Override
    public String toString() {
        return owner + ": " + balance() / 100.0;
    }
}
