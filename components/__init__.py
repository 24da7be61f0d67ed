"""The two component trees and the contract that joins them."""
